"""Why a frame is not taken: one fact per class, each counted under its `code`."""

from http import HTTPStatus

from alpr_common.errors import AlprError


class FramesOutgrowTopic(AlprError):
    title = "The policy allows pictures that Kafka does not take"


class MaskCrossesItself(AlprError):
    """Its filling would leave holes that the person who drew it does not see."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A privacy mask crosses itself"
    clause = "131.6-3a"


class FrameRefused(AlprError):
    """The frame was not taken and nothing of it was kept."""


class WrongCredential(FrameRefused):
    status = HTTPStatus.UNAUTHORIZED
    title = "The camera credential is not valid"


class CameraRetired(FrameRefused):
    status = HTTPStatus.FORBIDDEN
    title = "The camera is retired"


class CameraUnattested(FrameRefused):
    status = HTTPStatus.FORBIDDEN
    title = "The camera's site has no attestation"
    clause = "131.6-3a"


class FrameWithoutTime(FrameRefused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A frame needs the time at which it was taken"
    clause = "131.3-read"


class FrameWithoutPlace(FrameRefused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A frame needs the place at which it was taken"
    clause = "131.3-read"


class FrameDetailMalformed(FrameRefused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A detail of the frame cannot be understood"


class ClockSkewed(FrameRefused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The camera's clock differs too much from ours"
    clause = "policy file"


class CapturedAfterSent(FrameRefused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A frame cannot be taken later than it is sent"
    clause = "131.7-1c"


class DeliveredTooLate(FrameRefused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The frame is too old to be delivered"
    clause = "131.7-1c"


class FrameTooLarge(FrameRefused):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The picture has too many bytes"
    clause = "policy file"


class TooManyPixels(FrameRefused):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The picture has too many pixels"
    clause = "policy file"


class NotAJpeg(FrameRefused):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "The body is not a JPEG picture"
    clause = "131.3-read"


class PictureTruncated(FrameRefused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The picture is incomplete"
    clause = "131.3-read"


class BodyTooSlow(FrameRefused):
    status = HTTPStatus.REQUEST_TIMEOUT
    title = "The picture did not arrive in time"


class TooManyFramesAtOnce(FrameRefused):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many frames are arriving at once"
    retry_after_seconds = 1


class SpoolFull(FrameRefused):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Kafka is away and the spool is full"
    retry_after_seconds = 5
