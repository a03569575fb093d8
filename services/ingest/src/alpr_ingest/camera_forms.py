"""The camera registry's JSON, in and out."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alpr_common.web import StorableText
from alpr_ingest.domain import CAMERA_ID, Attestation, Camera, CameraKind, Place, Polygon
from alpr_ingest.handlers import CameraDetails

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
MaskPolygon = Annotated[list[tuple[Fraction, Fraction]], Field(min_length=3, max_length=256)]
Masks = Annotated[list[MaskPolygon], Field(max_length=64)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Heading = Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)]


class AttestationForm(BaseModel):
    """131.6-3a: what the camera sees is exposed to public view."""

    model_config = ConfigDict(extra="forbid")

    site_description: StorableText = Field(min_length=3, max_length=500)
    exposed_to_public_view: bool
    attested_by: StorableText | None = Field(default=None, max_length=200)


class _CameraFields(BaseModel):
    """What people say about a camera, new or not."""

    model_config = ConfigDict(extra="forbid")

    name: StorableText | None = Field(default=None, min_length=1, max_length=200)
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    heading_degrees: Heading | None = None
    attestation: AttestationForm | None = None
    privacy_masks: Masks | None = Field(
        default=None,
        description="polygons whose corners are fractions (0 to 1) of the stored picture; an "
        "outline may not cross or touch itself",
    )

    @model_validator(mode="after")
    def _place_is_whole(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("a place has latitude and longitude")
        return self

    def details(self, person: str, now: datetime) -> CameraDetails:
        attestation = None
        if self.attestation is not None:
            attestation = Attestation(
                self.attestation.site_description,
                self.attestation.exposed_to_public_view,
                self.attestation.attested_by or person,
                now,
            )
        place = None
        if self.latitude is not None and self.longitude is not None:
            place = Place(self.latitude, self.longitude)
        masks = None if self.privacy_masks is None else _polygons(self.privacy_masks)
        return CameraDetails(self.name, place, self.heading_degrees, attestation, masks)


class CameraChangeForm(_CameraFields):
    """A field that is left out, or null, stays as it is; a heading that is null is taken away."""

    heading_degrees: Heading | None = Field(
        default=None, description="null: it is not known any more"
    )
    expected_privacy_masks: Masks | None = Field(
        default=None,
        description="the masks that the change rests on; refused when the camera has others",
    )

    @property
    def clears_heading(self) -> bool:
        """Of all fields this one can be taken away, and null says it: left out, it stays."""
        return "heading_degrees" in self.model_fields_set and self.heading_degrees is None

    @property
    def expected_masks(self) -> tuple[Polygon, ...] | None:
        """None: whatever masks there are."""
        given = self.expected_privacy_masks
        return None if given is None else _polygons(given)


def _polygons(masks: list[list[tuple[float, float]]]) -> tuple[Polygon, ...]:
    return tuple(tuple(polygon) for polygon in masks)


class CameraForm(_CameraFields):
    """A new camera."""

    camera_id: str = Field(pattern=CAMERA_ID)
    kind: CameraKind = CameraKind.FIXED

    @model_validator(mode="after")
    def _fixed_camera_has_a_place(self) -> Self:
        if self.kind is CameraKind.FIXED and self.latitude is None:
            raise ValueError("a fixed camera needs latitude and longitude (131.7-1a)")
        return self


def camera_json(camera: Camera) -> dict[str, Any]:
    """The camera without anything of its credential."""
    attestation = camera.attestation
    return {
        "camera_id": camera.camera_id,
        "agency_id": camera.agency_id,
        "name": camera.name,
        "kind": camera.kind,
        "latitude": camera.place.latitude if camera.place else None,
        "longitude": camera.place.longitude if camera.place else None,
        "heading_degrees": camera.heading_degrees,
        "attested": camera.is_attested,
        "attestation": None if attestation is None else vars(attestation),
        "privacy_masks": camera.privacy_masks,
        "registered_at": camera.registered_at,
        "updated_at": camera.updated_at,
        "retired_at": camera.retired_at,
        "last_frame_at": camera.last_frame_at,
    }
