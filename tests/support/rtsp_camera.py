"""A camera that records H.264 to an RTSP server: each picture of one shade, growing brighter."""

from __future__ import annotations

import sys
import time

import av
import numpy as np

_RATE = 10


def record(url: str) -> None:
    """For ever."""
    with av.open(url, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as container:
        quick = {"preset": "ultrafast", "tune": "zerolatency", "g": "5"}
        stream = container.add_stream("libx264", rate=_RATE, options=quick)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        number = 0
        while True:
            pixels = np.full((240, 320, 3), min(number // 4, 250), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            number += 1
            time.sleep(1 / _RATE)


if __name__ == "__main__":
    record(sys.argv[1])
