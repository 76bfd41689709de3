"""`FCAPipeline`: one or two pictures and a sentence in, a video out, as a pipeline of diffusers."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from diffusers.utils.torch_utils import randn_tensor
from diffusers.video_processor import VideoProcessor
from torch import Tensor
from transformers import Blip2VisionModel, T5EncoderModel

from fca.config.settings import latent_frames
from fca.encode.blip2 import CaptionEmbeddings, image_features
from fca.encode.captions import NO_CAPTION, TextNetworks
from fca.encode.vae import finite_videos, initial_scaling_factor, levels, posterior
from fca.errors import FcaError
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import Adapter, Scheduler, denoiser_of
from fca.model.diffusion import posterior_sample
from fca.model.image_to_video import ImageToVideo
from fca.model.lora import Append
from fca.pretrained.exported import PAPER, Prediction
from fca.sample.chunks import chunk_lengths
from fca.sample.ddim import predict_latents
from fca.sample.inputs import FCAPipelineOutput, Start, batch_of, captions_of, check_call, initial_pixels, warn_of_cut
from fca.sample.parts import PipelineOfParts

Generators: TypeAlias = torch.Generator | list[torch.Generator] | None
Callback: TypeAlias = Callable[[Any, int, int, dict[str, Any]], dict[str, Any]]


class FCAPipeline(PipelineOfParts):
    """Text-video prediction: a frozen CogVideoX, BLIP-2's frozen parts, and a trained adapter (or none).

        pipe = FCAPipeline.from_pretrained("config/pocket-base/adapter")
        video = pipe(image=load_image("start.png"), prompt="open the blue laptop").frames[0]

    Args:
        transformer, vae, text_encoder, tokenizer: of the CogVideoX checkpoint.
        image_encoder, caption_embeddings, caption_tokenizer: BLIP-2's ViT, text embeddings and their tokenizer.
        scheduler: `CogVideoXDDIMScheduler`, which the paper uses, or `CogVideoXDPMScheduler`.
        adapter: what was trained, FCA or a ControlNet; None for the base alone or with low-rank weights.
        append: where low-rank weights on a text-to-video base read the initial frames' latent; None without them.
        prediction: the fields of `fca.pretrained.exported.Prediction`; by default the paper's.
    """

    model_cpu_offload_seq = "text_encoder->caption_embeddings->image_encoder->transformer->vae"
    _optional_components: ClassVar[list[str]] = ["adapter"]
    _exclude_from_cpu_offload: ClassVar[list[str]] = ["adapter"]  # it goes with the transformer
    _callback_tensor_inputs: ClassVar[list[str]] = ["latents"]

    def __init__(
        self,
        transformer: CogVideoXTransformer3DModel,
        vae: AutoencoderKLCogVideoX,
        text_encoder: T5EncoderModel,
        tokenizer: Any,
        image_encoder: Blip2VisionModel,
        caption_embeddings: CaptionEmbeddings,
        caption_tokenizer: Any,
        scheduler: Scheduler,
        adapter: Adapter | None = None,
        append: Append | None = None,
        prediction: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.register_modules(
            transformer=transformer,
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            image_encoder=image_encoder,
            caption_embeddings=caption_embeddings,
            caption_tokenizer=caption_tokenizer,
            scheduler=scheduler,
            adapter=adapter,
        )
        self.prediction = PAPER if prediction is None else Prediction.model_validate(prediction)
        self.register_to_config(append=append, prediction=self.prediction.model_dump(mode="json"))
        self.video_processor = VideoProcessor(vae_scale_factor=8)
        self._made: tuple[Any, Denoiser] | None = None
        self._guidance_scale, self._num_timesteps = self.prediction.guidance_scale, 0
        self._interrupt = False

    @property
    def denoiser(self) -> Denoiser:
        """Transformer and adapter as one model."""
        parts = (self.transformer, self.adapter)
        if self._made is None or self._made[0] != parts:
            made = denoiser_of(*parts, self.config.append, self.scheduler.alphas_cumprod, self.prediction.t_ref)
            self._made = parts, made
        return self._made[1]

    @property
    def guidance_scale(self) -> float:
        """Weight of the prompt in this call or the last."""
        return self._guidance_scale

    @property
    def do_classifier_free_guidance(self) -> bool:
        """Whether the unconditional branch runs."""
        return self._guidance_scale != 1

    @property
    def num_timesteps(self) -> int:
        """Denoising steps of this call or the last."""
        return self._num_timesteps

    @property
    def interrupt(self) -> bool:
        """A callback that sets `_interrupt` ends the denoising; the latents so far are decoded."""
        return self._interrupt

    def encode_prompt(
        self,
        prompt: str | Sequence[str] | None,
        negative_prompt: str | Sequence[str] | None = None,
        do_classifier_free_guidance: bool = True,
        num_videos_per_prompt: int = 1,
        prompt_embeds: Tensor | None = None,
        caption_embeds: Tensor | None = None,
        caption_mask: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        negative_caption_embeds: Tensor | None = None,
        negative_caption_mask: Tensor | None = None,
    ) -> tuple[Tensor | None, ...]:
        """Prompts through T5 and BLIP-2's text embeddings, or the embeddings given; each `num_videos_per_prompt` times.

        Returns:
            Of the prompt, and, if there is guidance, of the negative one (by default the empty caption): T5's
            embeddings (B, l_t, width), BLIP-2's (B, m, width) and their mask (B, m).

        Raises:
            FcaError: a prompt can't be a caption, or only some of the embeddings are given.
        """
        own = self._embedded("prompt", prompt, (prompt_embeds, caption_embeds, caption_mask), None)
        prompt_embeds, caption_embeds, caption_mask = own.times(num_videos_per_prompt)
        if do_classifier_free_guidance:
            given = (negative_prompt_embeds, negative_caption_embeds, negative_caption_mask)
            negative_prompt = NO_CAPTION if negative_prompt is None and given[0] is None else negative_prompt
            other = self._embedded("negative_prompt", negative_prompt, given, len(own.prompt_embeds))
            negative_prompt_embeds, negative_caption_embeds, negative_caption_mask = other.times(num_videos_per_prompt)
        negative = negative_prompt_embeds, negative_caption_embeds, negative_caption_mask
        return prompt_embeds, caption_embeds, caption_mask, *negative

    def _embedded(
        self, name: str, prompt: str | Sequence[str] | None, given: tuple[Tensor | None, ...], count: int | None
    ) -> Prompt:
        """The embeddings given, or those of the prompt, for `count` videos."""
        device = self._execution_device
        if prompt is None:
            if any(part is None for part in given):
                raise FcaError(f"there is no {name}", f"a {name}, or all three of its embeddings: `encode_prompt`")
            return Prompt(*(part.to(device) for part in given if part is not None))
        if any(part is not None for part in given):
            raise FcaError(f"both a {name} and its embeddings are given", "one of them")

        captions = captions_of(prompt, (1 if isinstance(prompt, str) else len(prompt)) if count is None else count)
        sizes = self.prediction.text_tokens, self.prediction.caption_tokens
        networks = TextNetworks(
            self.text_encoder, self.tokenizer, sizes[0], self.caption_embeddings, self.caption_tokenizer, sizes[1]
        )
        for caption in dict.fromkeys(captions):
            warn_of_cut(caption, "T5", self.tokenizer, sizes[0])
            warn_of_cut(caption, "BLIP-2", self.caption_tokenizer, sizes[1])
        return Prompt(*(part.to(device) for part in networks.embedded(captions)))

    @torch.no_grad()
    def __call__(
        self,
        image: Start | Sequence[Start],
        prompt: str | Sequence[str] | None = None,
        negative_prompt: str | Sequence[str] | None = None,
        num_frames: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        num_videos_per_prompt: int = 1,
        generator: Generators = None,
        latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        caption_embeds: Tensor | None = None,
        caption_mask: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        negative_caption_embeds: Tensor | None = None,
        negative_caption_mask: Tensor | None = None,
        next_prompts: Sequence[str] = (),
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> FCAPipelineOutput | tuple[Any]:
        """Predict videos that start with the given frames.

        Args:
            image: the initial frames of a video: a picture, or as many in order as the model was trained with, each of
                Pillow or an array (H, W, 3) uint8, of any size, resized by the model's own rule. With a list of
                prompts, a list of as many such starts.
            prompt: what happens; may be empty. A list makes a batch. A warning tells what isn't read of a long one.
            negative_prompt: the caption of the unconditional branch, by default empty.
            num_frames: length of the video, by default the model's own. If it is longer, the last frames predicted are
                the initial ones of the next chunk, and so on.
            num_inference_steps, guidance_scale: by default the model's own; a scale of 1 turns guidance off.
            num_videos_per_prompt: so many videos of each prompt.
            generator: a list has one for each video. The same seed gives the same video.
            latents: noise to start from (B, f, C, h, w), instead of drawn noise.
            prompt_embeds, ..., negative_caption_mask: what `encode_prompt` returns, instead of prompts.
            next_prompts: what happens in the chunks after the first; the last one goes on.
            output_type: `pil`, `np`, `pt` or `latent`, see `FCAPipelineOutput`.
            return_dict: False returns a tuple.
            callback_on_step_end: is called after each step with the pipeline, the step's number, its timestep and
                {"latents": latents}; if it returns `latents`, they replace them. It may change `_guidance_scale`.
            callback_on_step_end_tensor_inputs: there are only `latents`.

        Raises:
            FcaError: a picture, their number, a prompt or a setting is invalid, or a network's output isn't finite.
        """
        # What the call asks for.
        steps, self._guidance_scale = self.prediction.sampling(num_inference_steps, guidance_scale)
        self._num_timesteps, self._interrupt = steps, False
        pixels = initial_pixels(image, batch_of(prompt, prompt_embeds), self.prediction)  # (B, k, H, W, 3)
        check_call(output_type, callback_on_step_end_tensor_inputs, num_videos_per_prompt, generator, len(pixels))
        lengths = chunk_lengths(num_frames, self.prediction.frames, pixels.shape[1], next_prompts)
        if len(lengths) > 1 and (output_type == "latent" or latents is not None):
            raise FcaError("latents are asked for or given", f"at most {self.prediction.frames} frames, one chunk")

        embeds = self.encode_prompt(
            prompt, negative_prompt, self.do_classifier_free_guidance, num_videos_per_prompt,
            prompt_embeds, caption_embeds, caption_mask,
            negative_prompt_embeds, negative_caption_embeds, negative_caption_mask,
        )  # fmt: skip
        pixels = pixels.repeat_interleave(num_videos_per_prompt, dim=0)

        # Chunk by chunk, each from the last frames of the one before.
        parts: list[Tensor] = []
        for number, length in enumerate(lengths):
            self._chunk = number + 1, len(lengths)
            if number and next_prompts:
                following = next_prompts[min(number, len(next_prompts)) - 1]
                own = self._embedded("prompt", following, (None, None, None), None).times(len(pixels))
                embeds = (*own, *embeds[3:])
            latents = self._denoised(pixels, embeds, steps, generator, latents, callback_on_step_end)
            if output_type == "latent":
                return self._result(latents, return_dict)
            video = torch.cat([each.cpu() for each in finite_videos(self.vae, latents)])  # (B, 3, F, H, W) in [-1, 1]
            known = pixels.shape[1] if number else 0
            parts.append(video[:, :, known : known + length])
            pixels, latents = levels(video[:, :, -pixels.shape[1] :]), None
            if self.interrupt:
                break
        frames = self.video_processor.postprocess_video(torch.cat(parts, dim=2), output_type)
        return self._result(frames, return_dict)

    def _result(self, frames: Any, return_dict: bool) -> FCAPipelineOutput | tuple[Any]:
        self.maybe_free_model_hooks()
        return FCAPipelineOutput(frames=frames) if return_dict else (frames,)

    def _denoised(
        self,
        pixels: Tensor,
        embeds: tuple[Tensor | None, ...],
        steps: int,
        generator: Generators,
        noise: Tensor | None,
        callback: Callback | None,
    ) -> Tensor:
        """Latents (B, f, C, h, w) of videos that start with `pixels` (B, k, H, W, 3)."""
        count, device, denoiser = len(pixels), self._execution_device, self.denoiser
        names = [f"video {number} of {count}" for number in range(1, count + 1)] if count > 1 else []
        alone = isinstance(denoiser, ImageToVideo)  # such a base starts from one picture

        def drawn(shape: tuple[int, ...]) -> Tensor:
            return randn_tensor(shape, generator=generator, device=device, dtype=torch.float32)

        vision = image_features(self.image_encoder, pixels[:, 0], names).float()
        mean, logvar = (part.to(device) for part in posterior(self.vae, pixels[:, :1] if alone else pixels, names))
        initial = posterior_sample(mean, logvar, drawn(mean.shape), initial_scaling_factor(self.vae, alone))
        initial_frames = InitialFrames(initial, drawn(initial.shape), vision.to(device))
        shape = (count, latent_frames(self.prediction.frames), *initial.shape[2:])
        noise = drawn(shape) if noise is None else noise.to(device)
        if noise.shape != shape:
            raise FcaError(f"latents are {tuple(noise.shape)}", f"{shape}")

        def after_step(number: int, timestep: int, latents: Tensor) -> Tensor:
            found = callback(self, number, timestep, {"latents": latents}) if callback else None
            return (found or {}).get("latents", latents)

        own = Prompt(*embeds[:3])
        self._current_timestep = self.prediction.t_ref
        return predict_latents(
            denoiser, self.scheduler, initial_frames, own, Prompt(*embeds[3:]) if embeds[3] is not None else own, noise,
            steps, lambda: self.guidance_scale, self._told, generator, names, after_step, lambda: self.interrupt,
        )  # fmt: skip
