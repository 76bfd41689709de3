"""Check that the simulators' environment can render: `python -m simulation.environment`."""

import os
import sys

REMEDY = """The simulators can't render with MUJOCO_GL={backend}: {error}
Install Mesa's EGL (Debian: libegl1), or OSMesa (Debian: libosmesa6) and set MUJOCO_GL=osmesa."""


def main() -> None:
    """Render one frame of the smallest world; exit with the remedy if that fails."""

    try:
        import mujoco

        model = mujoco.MjModel.from_xml_string(
            "<mujoco><worldbody><geom size='1' rgba='1 0 0 1'/></worldbody></mujoco>"
        )
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        renderer = mujoco.Renderer(model, 32, 48)
        renderer.update_scene(data)
        brightest = int(renderer.render().max())
        renderer.close()
    except Exception as error:  # each backend has errors of its own
        sys.exit(REMEDY.format(backend=os.environ["MUJOCO_GL"], error=error))
    if not brightest:
        sys.exit(REMEDY.format(backend=os.environ["MUJOCO_GL"], error="the frame is black"))
    print(f"MuJoCo {mujoco.__version__} renders with MUJOCO_GL={os.environ['MUJOCO_GL']}")


if __name__ == "__main__":
    main()
