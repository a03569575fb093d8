"""What a JPEG's bytes say before anybody decodes them. Pure; the body comes from a stranger."""

from dataclasses import dataclass

from alpr_ingest.refusals import NotAJpeg, PictureTruncated, TooManyPixels

_START, _END = b"\xff\xd8", b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
# SOF0-SOF15 without DHT (C4), JPG (C8) and DAC (CC), which share the range.
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Some cameras pad pictures to whole blocks or end them with a line break.
_PADDING = b"\x00\xff\r\n"
# A progressive picture is decoded once per scan; encoders use about ten.
_MAX_SCANS = 100


@dataclass(frozen=True)
class Size:
    """Of the stored pixel grid, in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


def size_of(data: bytes, max_pixels: int) -> Size:
    """The picture's size from its headers, without decoding.

    Raises `NotAJpeg`, `PictureTruncated` (it ends within its headers or has no end marker) or
    `TooManyPixels`.
    """
    if not data.startswith(_START):
        raise NotAJpeg("The body does not begin like a JPEG (FF D8). Send the picture's bytes.")
    size = _frame_header(data)
    if size.pixels > max_pixels:
        raise TooManyPixels(
            f"The picture has {size.width} × {size.height} = {size.pixels} pixels; the limit is "
            f"{max_pixels}.",
            limit_pixels=max_pixels,
        )
    if not data.rstrip(_PADDING).endswith(_END):
        raise PictureTruncated(
            f"The picture's {len(data)} bytes stop before its end marker (FF D9). Send it whole."
        )
    if data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise NotAJpeg(f"The picture has more than {_MAX_SCANS} scans, which no camera makes.")
    return size


def _frame_header(data: bytes) -> Size:
    """Walk the segments up to the first frame header (SOF)."""
    at = len(_START)
    while True:
        marker, at = _next_marker(data, at)
        if marker in _STANDALONE:
            continue
        if marker in (0xD8, 0xD9, 0xDA):
            raise NotAJpeg("The picture's data begins without saying how large it is.")
        if at + 2 > len(data):
            raise _ends_in_headers(data)
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2:
            raise NotAJpeg(f"The segment {marker:02X} gives an impossible length.")
        if at + length > len(data):
            raise _ends_in_headers(data)
        if marker in _FRAME_HEADERS:
            return _size(data[at + 2 : at + length])
        at += length


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker that begins at `at` and where what follows it begins."""
    if at >= len(data):
        raise _ends_in_headers(data)
    if data[at] != 0xFF:
        raise NotAJpeg(f"There is no marker where one belongs (byte {at}).")
    while at < len(data) and data[at] == 0xFF:  # any number of fill bytes may precede a marker
        at += 1
    if at >= len(data):
        raise _ends_in_headers(data)
    return data[at], at + 1


def _size(segment: bytes) -> Size:
    if len(segment) < 6:
        raise NotAJpeg("The frame header is too short.")
    height = int.from_bytes(segment[1:3], "big")
    width = int.from_bytes(segment[3:5], "big")
    if not width or not height:
        raise NotAJpeg(f"The picture claims to be {width} × {height} pixels.")
    return Size(width, height)


def _ends_in_headers(data: bytes) -> PictureTruncated:
    return PictureTruncated(
        f"The picture's {len(data)} bytes stop within its headers. Send it whole."
    )
