"""What a file is, by its content: media type, extension, the kinds it can answer, its size, whether it is whole."""

from genstep.sniff.measures import Measures, measure
from genstep.sniff.types import HEAD, extension, fits, media_type
from genstep.sniff.whole import whole

__all__ = ["HEAD", "Measures", "extension", "fits", "measure", "media_type", "whole"]
