"""Areas that a search can be narrowed to. Pure."""

import math
from dataclasses import dataclass

METERS_PER_DEGREE = 111_195.0


@dataclass(frozen=True)
class Box:
    """An area between two parallels and two meridians, in degrees."""

    south: float
    west: float
    north: float
    east: float

    @property
    def meters(self) -> tuple[float, float]:
        """How far it is from south to north and from west to east, in its middle."""
        middle = math.radians((self.south + self.north) / 2)
        return (
            (self.north - self.south) * METERS_PER_DEGREE,
            (self.east - self.west) * METERS_PER_DEGREE * math.cos(middle),
        )


@dataclass(frozen=True)
class Circle:
    """An area around a place. Small enough that the earth is flat in it."""

    latitude: float
    longitude: float
    radius_meters: int

    @property
    def meters_per_degree_east(self) -> float:
        return METERS_PER_DEGREE * max(math.cos(math.radians(self.latitude)), 1e-6)

    @property
    def box(self) -> Box:
        """The square around it."""
        up = self.radius_meters / METERS_PER_DEGREE
        right = self.radius_meters / self.meters_per_degree_east
        return Box(
            self.latitude - up, self.longitude - right, self.latitude + up, self.longitude + right
        )


Area = Box | Circle


def area_of(said: dict[str, str]) -> Area:
    if "radius_meters" in said:
        center = float(said["latitude"]), float(said["longitude"])
        return Circle(*center, int(said["radius_meters"]))
    return Box(*(float(said[name]) for name in ("south", "west", "north", "east")))
