"""The hand's controller: moves the free hand along a path, closes its fingers on things and holds them.

Palm and fingers follow their path exactly and push what they touch. A thing that is held is welded to the palm by a
constraint of the simulator, so that it still hits and rests on other things.
"""

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from simulation.adroit import FINGERS, FIST, HAND
from simulation.scene import Array
from simulation.things import HAND as HAND_BIT

NEAR = 0.03
"""A thing is gripped if it is at most this far from the hand's point, in metres."""
TOUCHING = 0.001


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Return the hand's quaternion: fingers turned left by yaw from +x and down by pitch, thumb side up by roll."""
    parts = [((0, 0, 1), yaw), ((0, 1, 0), pitch), ((1, 0, 0), roll)]
    total = np.array([1.0, 0, 0, 0])
    for axis, degrees in parts:
        turn, product = np.zeros(4), np.zeros(4)
        mujoco.mju_axisAngle2Quat(turn, np.array(axis, float), np.radians(degrees))
        mujoco.mju_mulQuat(product, total, turn)
        total = product
    return total


def turned(turn: Sequence[float] | Array, offset: Sequence[float] | Array) -> Array:
    """Return a vector of the hand's frame in the world; the turn is a quaternion, or yaw, pitch and roll."""
    result, quaternion = np.zeros(3), np.asarray(turn, float) if len(turn) == 4 else rotation(*turn)
    mujoco.mju_rotVecQuat(result, np.asarray(offset, float), quaternion)
    return result


class Drive:
    """A hand in a running simulation."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        open_pose: Mapping[str, float],
        point: Sequence[float] = (0, 0, 0),
    ) -> None:
        self.model, self.data = model, data
        self.point = np.asarray(point, float)
        """Where the hand holds, in its frame."""
        joint = model.joint(HAND)
        self.qpos, self.qvel = int(joint.qposadr[0]), int(joint.dofadr[0])
        self.joints = {
            finger: tuple(
                np.array([int(address[0]) for address in addresses])
                for addresses in zip(*((model.joint(j).qposadr, model.joint(j).dofadr) for j in joints), strict=True)
            )
            for finger, joints in FINGERS.items()
        }
        """Finger -> addresses of its joints' positions and velocities."""
        self.opened = {finger: np.array([open_pose[joint] for joint in joints]) for finger, joints in FINGERS.items()}
        self.curled = {finger: np.array([FIST[joint] for joint in joints]) for finger, joints in FINGERS.items()}
        self.held: int | None = None
        self.curls = dict.fromkeys(FINGERS, 0.0)
        self.stopped: set[str] = set()
        self.previous: tuple[Array, Array] | None = None
        hand_bodies = {finger: self.bodies(finger) for finger in FINGERS}
        self.finger_geoms = {
            finger: [
                geom for geom in range(model.ngeom)
                if model.geom_bodyid[geom] in bodies and model.geom(geom).name.endswith(("middle", "distal"))
                and model.geom_contype[geom] == HAND_BIT
            ]
            for finger, bodies in hand_bodies.items()
        }  # fmt: skip
        self.grips = {
            int(model.eq_obj2id[equality]): equality
            for equality in range(model.neq)
            if model.eq_obj1id[equality] == model.body(HAND).id
        }
        self.things = {
            body: [g for g in range(model.ngeom) if model.geom_bodyid[g] == body and model.geom_contype[g]]
            for body in self.grips
        }
        self.pushed = [geom for geom in range(model.ngeom) if model.geom_conaffinity[geom] & HAND_BIT]

    def bodies(self, finger: str) -> set[int]:
        """Return the bodies of a finger."""
        return {b for b in range(self.model.nbody) if self.model.body(b).name.startswith(finger)}

    @property
    def position(self) -> Array:
        """Return where the hand is."""
        return self.data.qpos[self.qpos : self.qpos + 3].copy()

    def place(self, position: Array, quaternion: Array, closed: float) -> None:
        """Put the hand somewhere at rest, fingers closed on what they meet."""
        self.previous = None
        self.move(position, quaternion)
        mujoco.mj_forward(self.model, self.data)
        if closed:
            for share in np.linspace(0, closed, 60):
                self.close(float(share))
                mujoco.mj_kinematics(self.model, self.data)
        else:
            self.close(0.0)
        mujoco.mj_forward(self.model, self.data)

    def step(self, position: Array, quaternion: Array, closed: float, hold: bool) -> None:
        """Advance the simulation by one time step, to the hand's next position."""
        self.move(position, quaternion)
        self.close(closed)
        if hold and self.held is None:
            self.grip()
        elif not hold and self.held is not None:
            self.release()
        mujoco.mj_step(self.model, self.data)

    def move(self, position: Array, quaternion: Array) -> None:
        """Set position and velocity of the hand."""
        position, quaternion = np.asarray(position, float), np.asarray(quaternion, float)
        velocity = np.zeros(6)
        if self.previous is not None:
            velocity[:3] = (position - self.previous[0]) / self.model.opt.timestep
            mujoco.mju_subQuat(velocity[3:], quaternion, self.previous[1])
            velocity[3:] /= self.model.opt.timestep
        start, from_quaternion = self.previous or (position, quaternion)
        self.data.qpos[self.qpos : self.qpos + 3] = start
        self.data.qpos[self.qpos + 3 : self.qpos + 7] = from_quaternion
        self.data.qvel[self.qvel : self.qvel + 6] = velocity
        self.previous = (position.copy(), quaternion.copy())

    def close(self, closed: float) -> None:
        """Curl the fingers; a finger stops at what it touches until the hand opens again."""
        for finger, (qpos, qvel) in self.joints.items():
            if closed < self.curls[finger]:
                self.stopped.discard(finger)
            if finger not in self.stopped and closed > self.curls[finger] and self.touches(finger):
                self.stopped.add(finger)
            if finger not in self.stopped:
                self.curls[finger] = closed
            share = self.curls[finger]
            self.data.qpos[qpos] = (1 - share) * self.opened[finger] + share * self.curled[finger]
            self.data.qvel[qvel] = 0

    def touches(self, finger: str) -> bool:
        """Return whether a finger touches something."""
        return any(
            mujoco.mj_geomDistance(self.model, self.data, mine, other, 2 * TOUCHING, None) < TOUCHING
            for geoms in self.things.values()
            for other in geoms
            for mine in self.finger_geoms[finger]
        )

    def grip(self) -> None:
        """Hold the nearest thing within reach: a free thing as it lies, a handle at its nearest point."""
        nearest = {body: min((self.nearest(geom) for geom in self.things[body]), key=lambda each: each[0])
                   for body in self.grips}  # fmt: skip
        body = min(nearest, key=lambda each: nearest[each][0], default=None)
        if body is None or nearest[body][0] > NEAR:
            return
        root, grip = self.model.body(HAND).id, self.grips[body]
        if self.model.eq_type[grip] == mujoco.mjtEq.mjEQ_WELD:
            inverse, relative = np.zeros(4), np.zeros(4)
            mujoco.mju_negQuat(inverse, self.data.xquat[root])
            mujoco.mju_mulQuat(relative, inverse, self.data.xquat[body])
            self.model.eq_data[grip] = [0, 0, 0, *self.local(root, self.data.xpos[body]), *relative, 1]
        else:
            point = nearest[body][1]
            self.model.eq_data[grip, :6] = [*self.local(root, point), *self.local(body, point)]
        self.data.eq_active[grip] = 1
        self.set_touched(body, False)
        self.held = body

    def release(self) -> None:
        """Let go."""
        assert self.held is not None
        self.data.eq_active[self.grips[self.held]] = 0
        self.set_touched(self.held, True)
        self.held = None

    def set_touched(self, body: int, touched: bool) -> None:
        """Set whether hand and thing collide; a thing that is held doesn't collide with the fingers around it."""
        for geom in set(self.things[body]) & set(self.pushed):
            bits = self.model.geom_conaffinity[geom]
            self.model.geom_conaffinity[geom] = bits | HAND_BIT if touched else bits & ~HAND_BIT

    def local(self, body: int, point: Array) -> Array:
        """Return a point in a body's frame."""
        return self.data.xmat[body].reshape(3, 3).T @ (point - self.data.xpos[body])

    def nearest(self, geom: int) -> tuple[float, Array]:
        """Return how far a shape is from the hand's point, and its axis' nearest point."""
        point = self.position + turned(self.data.qpos[self.qpos + 3 : self.qpos + 7], self.point)
        turn, middle = self.data.geom_xmat[geom].reshape(3, 3), self.data.geom_xpos[geom]
        local = turn.T @ (point - middle)
        size, kind = self.model.geom_size[geom], self.model.geom_type[geom]
        if kind == mujoco.mjtGeom.mjGEOM_BOX:
            inside = np.clip(local, -size, size)
            return float(np.linalg.norm(local - inside)), middle + turn @ inside
        if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
            inside = np.array([0, 0, np.clip(local[2], -size[1], size[1])])
            beyond = [max(np.hypot(*local[:2]) - size[0], 0), local[2] - inside[2]]
            return float(np.hypot(*beyond)), middle + turn @ inside
        reach = size[1] if kind == mujoco.mjtGeom.mjGEOM_CAPSULE else 0.0
        inside = np.array([0, 0, np.clip(local[2], -reach, reach)])
        return max(float(np.linalg.norm(local - inside)) - float(size[0]), 0.0), middle + turn @ inside
