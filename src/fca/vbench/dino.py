"""DINO's network for subject consistency. Like `official.py`, which imports it, it runs in VBench's own environment."""

from typing import Any

import timm
import torch
from torch.nn.functional import interpolate


def dino(state: dict[str, Any]) -> Any:
    """DINO's vision transformer (facebookresearch/dino, `dino_vitb16` of its hub file) with the weights of `state`.

    timm's network has the same layers and names but fits position embeddings differently to pictures that are not
    square: DINO interpolates them with scales of (patches + 0.1) / 14.
    """
    timm.layers.set_fused_attn(False)

    class Dino(timm.models.vision_transformer.VisionTransformer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # (b, 3, height, width), cropped to whole patches
            return super().forward(x[..., : x.shape[-2] // 16 * 16, : x.shape[-1] // 16 * 16])

        def _pos_embed(self, x: torch.Tensor) -> torch.Tensor:  # (b, rows, columns, width)
            batch, rows, columns, width = x.shape
            first, table = self.pos_embed[:, :1], self.pos_embed[:, 1:]
            side = round(table.shape[1] ** 0.5)
            if (rows, columns) != (side, side):
                table = table.reshape(1, side, side, width).permute(0, 3, 1, 2)
                scales = ((rows + 0.1) / side, (columns + 0.1) / side)
                table = interpolate(table, scale_factor=scales, mode="bicubic").permute(0, 2, 3, 1).flatten(1, 2)
            tokens = torch.cat([self.cls_token.expand(batch, -1, -1), x.flatten(1, 2)], dim=1)
            return tokens + torch.cat([first, table], dim=1)

    width = state["cls_token"].shape[-1]
    depth = sum(name.endswith(".norm1.weight") for name in state)
    model = Dino(embed_dim=width, depth=depth, num_heads=width // 64, num_classes=0, dynamic_img_size=True)
    model.load_state_dict(state, strict=True)
    return model.eval()
