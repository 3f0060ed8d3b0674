"""Who else is in a room, and what looks like a person but is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering import furniture as fur
from rendering.animals import DOG_POSES, add_dog
from rendering.mesh import Surface, add_cylinder
from rendering.people import Outfit, random_outfit
from rendering.props import add_prop
from rendering.stage import Stage
from rendering.statues import statue

Vec = NDArray[np.float64]


def scatter_people(stage: Stage, count: int) -> None:
    """People on the free floor: standing, walking, now and then squatting, bending or lying; some straight below."""
    rng = stage.rng
    seated = list(stage.people)
    for p in seated:
        # Colleagues who stand by, lean over, point at the screen.
        if rng.random() < 0.12:
            angle, away = rng.uniform(0, 6.28), rng.uniform(0.55, 0.85)
            spot = np.array([p.floor_xy_m[0] + away * np.cos(angle), p.floor_xy_m[1] + away * np.sin(angle), 0.0])
            if stage.is_free(float(spot[0]), float(spot[1]), 0.15):
                stage.take(float(spot[0]), float(spot[1]), 0.2)
                towards = float(np.arctan2(-np.cos(angle), np.sin(angle)))
                stage.person((str(rng.choice(["stand", "bend"])),), spot, towards)
    # Where helmets are worn people also work on the floor.
    shares = [0.32, 0.32, 0.11, 0.2, 0.05] if stage.helmets else [0.42, 0.42, 0.05, 0.06, 0.05]
    for i in range(count):
        near = i == 0 and rng.random() < 0.5
        place_here = stage.free_spot(0.2, 0.5 if near else 0.0)
        if place_here is None:
            continue
        kind = str(rng.choice(["stand", "walk", "squat", "bend", "lie"], p=shares))
        if stage.person((kind,), place_here, float(rng.uniform(0, 6.28))):
            stage.take(float(place_here[0]), float(place_here[1]), 0.55 if kind == "lie" else 0.2)


def mannequin(stage: Stage, spot: Vec) -> None:
    """A body in one colour that counts as a thing."""
    rng = stage.rng
    outfit = random_outfit(rng, stage.textures, "stand")
    skin = np.full(3, rng.uniform(0.75, 0.95)) if rng.random() < 0.7 else np.full(3, 0.05)
    naked: dict[str, Any] = {"skin": skin, "hair": skin, "hat": "bald", "bag": "none", "shirt": skin, "trousers": skin,
                             "shoes": skin, "shirt_layer": 0, "trousers_layer": 0, "loose": 0.0, "skirt_m": 0.0,
                             "coat_m": 0.0}
    stage.take(float(spot[0]), float(spot[1]), 0.25)
    stage.person(("stand",), spot, float(rng.uniform(0, 6.28)), outfit=_changed(outfit, naked), as_person=False)


def _changed(outfit: Outfit, changes: dict[str, Any]) -> Outfit:
    return replace(outfit, **changes)


def add_plant_somewhere(stage: Stage) -> None:
    """A plant on free floor."""
    spot = stage.free_spot(0.35)
    if spot is not None:
        stage.take(float(spot[0]), float(spot[1]), 0.3)
        fur.add_plant(stage.things, stage.rng, spot)


def distractors(stage: Stage) -> None:
    """Coat racks, plants, bins, cartons, loose chairs, dogs, statues; few of what looks most like people."""
    rng = stage.rng
    small = [p for p in stage.props if p.radius_m < 0.6]
    for spot in stage.free_spots(int(rng.poisson(3.5)), 0.35):
        kind = rng.choice(["rack", "plant", "bin", "boxes", "chair", "mannequin", "model", "dog", "statue"],
                          p=[0.13, 0.11, 0.08, 0.14, 0.13, 0.01, 0.32, 0.065, 0.015])
        stage.take(float(spot[0]), float(spot[1]), 0.3)
        if kind == "rack":
            fur.add_coat_rack(stage.things, rng, stage.textures, stage.style, spot)
        elif kind == "plant":
            fur.add_plant(stage.things, rng, spot)
        elif kind == "bin":
            add_cylinder(stage.things, 0.16, 0.4, spot, Surface(tint=fur.grey(rng, 0.05, 0.6)), 0.19)
        elif kind == "boxes":
            fur.add_boxes(stage.things, rng, stage.textures, spot, int(rng.integers(1, 5)))
        elif kind == "model" and small:
            add_prop(stage.things, rng, small[int(rng.integers(len(small)))], spot, float(rng.uniform(0, 6.28)))
        elif kind == "chair":
            fur.add_chair(stage.things, rng, stage.style, spot, float(rng.uniform(0, 6.28)))
        elif kind == "dog":
            add_dog(stage.things, rng, stage.textures, spot, float(rng.uniform(0, 6.28)),
                    float(rng.uniform(0.22, 0.75)), str(rng.choice(DOG_POSES)))
        elif kind == "statue":
            statue(stage, spot)
        else:
            mannequin(stage, spot)
