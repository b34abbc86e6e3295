"""The sandbox's media: each kind is opened by a tool that we did not write, and is what was asked for."""

from __future__ import annotations

import io
import subprocess
import sys
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from genstep.sandbox import media
from genstep.sandbox.media import Media, MediaUnavailable, available, make, size_for, thumbnail

PICTURES = ("image", "infographic")
# Media type, extension, and how the file begins.
FORMS = {
    "png": ("image/png", ".png", b"\x89PNG\r\n\x1a\n"),
    "jpeg": ("image/jpeg", ".jpg", b"\xff\xd8\xff"),
    "jpg": ("image/jpeg", ".jpg", b"\xff\xd8\xff"),
    "webp": ("image/webp", ".webp", b"RIFF"),
    "mp4": ("video/mp4", ".mp4", b"\x00\x00\x00"),
    "webm": ("video/webm", ".webm", b"\x1a\x45\xdf\xa3"),
    "glb": ("model/gltf-binary", ".glb", b"glTF"),
    "wav": ("audio/wav", ".wav", b"RIFF"),
    "mp3": ("audio/mpeg", ".mp3", b""),  # a tag or a frame
    "txt": ("text/plain", ".txt", b"[SANDBOX]"),
}
SMALL: dict[str, dict[str, Any]] = {
    "image": {"width": 160, "height": 96},
    "infographic": {"width": 160, "height": 200},
    "video": {"width": 96, "height": 64, "duration": 0.5},
    "model3d": {},
    "voice": {"duration": 0.7},
    "music": {"duration": 0.8},
    "text": {},
}
ODD_PROMPTS = [
    "",
    "   \n\t ",
    "🦊❄️🏔️",
    "赤いキツネ、雪の中",
    "ثعلب أحمر في الثلج",
    "Ein süßer Fuchs — “naïve”, 100 % echt",
    "Кошка на окне",
    "a\x00b\u202ec\ud800d\nnext",
    "x" * 5000,
    "many words " * 3000,
]


def assert_form(medium: Media, output_format: str) -> None:
    media_type, extension, magic = FORMS[output_format]
    assert (medium.media_type, medium.extension) == (media_type, extension)
    assert medium.data.startswith(magic)


def opened(medium: Media) -> Image.Image:
    Image.open(io.BytesIO(medium.data)).verify()
    picture = Image.open(io.BytesIO(medium.data))
    picture.load()
    return picture


def frames(medium: Media) -> tuple[list[np.ndarray], Any, float]:
    with av.open(io.BytesIO(medium.data)) as container:
        stream = container.streams.video[0]
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert container.duration is not None
        return shown, stream.average_rate, container.duration / 1_000_000


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("output_format", ["png", "jpeg", "jpg", "webp"])
def test_a_picture_has_the_format_and_the_size_asked_for(kind: str, output_format: str) -> None:
    medium = make(kind, "a quiet lake", width=150, height=210, output_format=output_format)
    picture = opened(medium)
    assert picture.size == (medium.width, medium.height) == (150, 210)
    assert_form(medium, output_format)
    assert picture.format == {"jpg": "JPEG"}.get(output_format, output_format.upper())


@pytest.mark.parametrize("kind", list(media.KINDS))
def test_the_first_format_of_a_kind_is_the_usual_one(kind: str) -> None:
    usual = media.KINDS[kind][0]
    medium = make(kind, "usual", **SMALL[kind])
    assert_form(medium, usual)
    assert medium == make(kind, "usual", output_format=usual.upper(), **SMALL[kind])


@pytest.mark.parametrize(
    ("kind", "asked", "size"),
    [
        ("image", {}, (1024, 1024)),
        ("image", {"aspect_ratio": "16:9"}, (1024, 576)),
        ("image", {"aspect_ratio": "9:16", "long_side": 512}, (288, 512)),
        ("image", {"aspect_ratio": "16:9", "width": 300, "height": 200}, (300, 200)),
        ("image", {"aspect_ratio": "2:1", "width": 300}, (300, 150)),
        ("image", {"aspect_ratio": "2:1", "height": 100}, (200, 100)),
        ("infographic", {"aspect_ratio": "1:1", "long_side": 256}, (256, 256)),
    ],
)
def test_width_and_height_win_over_the_ratio(kind: str, asked: dict[str, Any], size: tuple[int, int]) -> None:
    assert opened(make(kind, "sizes", **asked)).size == size


@pytest.mark.parametrize(
    ("ratio", "long_side", "size"),
    [("16:9", 1280, (1280, 720)), ("3:4", 1024, (768, 1024)), ("1:4", 64, (16, 64)), ("2.39:1", 1000, (1000, 418))],
)
def test_size_for_a_ratio(ratio: str, long_side: int, size: tuple[int, int]) -> None:
    assert size_for(ratio, long_side) == size


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kind": "hologram"}, "kind"),
        ({"kind": "image", "output_format": "gif"}, "output_format"),
        ({"kind": "video", "output_format": "png"}, "output_format"),
        ({"kind": "image", "aspect_ratio": "wide"}, "aspect_ratio"),
        ({"kind": "image", "aspect_ratio": "0:1"}, "aspect_ratio"),
        ({"kind": "image", "long_side": 0}, "long_side"),
        ({"kind": "image", "width": 0, "height": 10}, "width"),
        ({"kind": "image", "width": 10, "height": 9000}, "height"),
        ({"kind": "video", "duration": 0}, "duration"),
        ({"kind": "music", "duration": 1e9}, "duration"),
        ({"kind": "voice", "duration": -1}, "duration"),
        ({"kind": "image", "image": b"no picture"}, "image"),
    ],
)
def test_a_wrong_argument_is_named(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field}\b"):
        make(prompt="wrong", **asked)


@pytest.mark.parametrize("kind", list(media.KINDS))
def test_kind_prompt_seed_and_parameters_decide_every_byte(kind: str) -> None:
    first = make(kind, "a red fox", seed=7, **SMALL[kind])
    assert make(kind, "a red fox", seed=7, **SMALL[kind]) == first
    assert make(kind, "a red fox", seed=8, **SMALL[kind]).data != first.data
    assert make(kind, "a blue fox", seed=7, **SMALL[kind]).data != first.data


def test_compressed_formats_are_repeatable_too() -> None:
    for kind, output_format in (("video", "webm"), ("voice", "mp3"), ("image", "webp"), ("image", "jpeg")):
        made = [make(kind, "again", output_format=output_format, **SMALL[kind]).data for _ in range(2)]
        assert made[0] == made[1]


@pytest.mark.parametrize("prompt", ODD_PROMPTS, ids=range(len(ODD_PROMPTS)))
def test_any_prompt_can_be_drawn_spoken_and_written(prompt: str) -> None:
    for kind in media.KINDS:
        if kind != "video":  # a clip is drawn as a picture is
            assert make(kind, prompt, **SMALL[kind]).data
    assert opened(make("image", prompt, width=320, height=240)).size == (320, 240)


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("size", [(64, 64), (64, 256), (256, 64), (40, 160), (16, 16), (1, 1), (2048, 512), (333, 777)])
def test_extreme_sizes(kind: str, size: tuple[int, int]) -> None:
    for prompt in ("a long prompt about the sea and the sky", "city", "a rocket in space", "diagram", "a fox in snow"):
        assert opened(make(kind, prompt, width=size[0], height=size[1], output_format="webp")).size == size


@pytest.mark.slow
def test_the_largest_picture() -> None:
    assert opened(make("image", "mountains", width=4096, height=4096)).size == (4096, 4096)


def test_pictures_say_sandbox_in_a_corner_and_in_the_file() -> None:
    for prompt in ("a sunny day by the sea", "night", "snow", "abstract", "forest"):
        medium = make("image", prompt, width=512, height=320)
        picture = opened(medium)
        corner = np.asarray(picture.convert("L").crop((420, 8, 505, 30)))
        assert corner.max() > 225, "the letters"
        assert np.percentile(corner, 20) < 140, "the plate behind them"
        assert picture.info["Software"] == "genstep sandbox"
    for output_format in ("jpeg", "webp"):
        marked = opened(make("infographic", "marks", width=64, height=64, output_format=output_format))
        assert marked.getexif()[0x0131] == "genstep sandbox"


def test_the_prompt_is_written_on_the_picture() -> None:
    # White letters in the lower left of a night forest, where nothing else is bright.
    picture = opened(make("image", "night forest with a very quiet path", width=640, height=400))
    band = np.asarray(picture.convert("L").crop((20, 330, 330, 390)))
    assert (band > 235).mean() > 0.02
    tiny = opened(make("image", "night forest with a very quiet path", width=64, height=64))
    assert (np.asarray(tiny.convert("L").crop((0, 44, 64, 64))) > 235).mean() < 0.02


def test_a_figure_that_the_prompt_names_is_in_the_picture() -> None:
    def orange(prompt: str) -> float:
        pixels = np.asarray(opened(make("image", prompt, width=400, height=400)).convert("RGB")).astype(int)
        red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
        return float(((red - green > 70) & (red - blue > 90) & (red > 120)).mean())

    assert orange("a red fox in the snow") > 0.02
    assert orange("a quiet morning in the snow") < 0.005


def test_the_words_of_the_prompt_choose_the_light() -> None:
    def brightness(prompt: str) -> float:
        return float(np.asarray(opened(make("image", prompt, width=200, height=120)).convert("L")).mean())

    nights = [brightness(f"mountains at midnight, number {n}") for n in range(4)]
    days = [brightness(f"mountains at noon, number {n}") for n in range(4)]
    assert max(nights) < min(days)


def test_a_picture_can_start_from_a_picture() -> None:
    red = io.BytesIO()
    Image.new("RGBA", (90, 50), (220, 10, 10, 255)).save(red, "PNG")
    for kind in ("image", "video"):
        made = make(kind, "keep the colour", width=96, height=64, image=red.getvalue(), duration=0.3)
        picture = np.asarray(opened(made).convert("RGB")) if kind == "image" else frames(made)[0][0]
        colour = picture[20:40, 20:60].reshape(-1, 3).mean(axis=0)
        assert colour[0] > colour[1] + 60
        assert colour[0] > colour[2] + 60


def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape() -> None:
    large = make("image", "sea", width=600, height=300).data
    small = thumbnail(large, 100)
    assert opened(small).size == (small.width, small.height) == (100, 50)
    assert small.media_type == "image/jpeg"
    assert opened(thumbnail(make("image", "sea", width=40, height=30).data)).size == (40, 30)
    with pytest.raises(ValueError, match=r"^image"):
        thumbnail(b"\x89PNG\r\n\x1a\nbroken")


@pytest.mark.parametrize("output_format", ["mp4", "webm"])
@pytest.mark.parametrize(("size", "seconds"), [((128, 72), 1.5), ((64, 112), 1.0)])
def test_a_clip_has_the_size_the_length_and_moves(output_format: str, size: tuple[int, int], seconds: float) -> None:
    made = make("video", "sea", width=size[0], height=size[1], duration=seconds, output_format=output_format)
    assert_form(made, output_format)
    shown, rate, length = frames(made)
    assert {frame.shape for frame in shown} == {(size[1], size[0], 3)}
    assert rate == Fraction(24)
    assert len(shown) == round(seconds * 24)
    assert length == pytest.approx(seconds, abs=1 / 24)
    assert made.duration == pytest.approx(seconds, abs=1 / 48)
    moved = [np.abs(a.astype(int) - b.astype(int)).mean() for a, b in zip(shown[::6], shown[6::6], strict=False)]
    assert min(moved) > 0.1


@pytest.mark.parametrize(
    "prompt", ["mountains", "night sky", "desert", "forest", "city", "space", "silk", "snow", "diagram"]
)
def test_every_scene_moves(prompt: str) -> None:
    shown, _, _ = frames(make("video", prompt, width=160, height=90, duration=0.5))
    assert np.abs(shown[0].astype(int) - shown[-1].astype(int)).mean() > 0.05


def test_a_clip_can_be_played_before_it_has_arrived_whole() -> None:
    data = make("video", "sea", **SMALL["video"]).data
    assert data[4:8] == b"ftyp"
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_the_usual_clip_is_wide_and_a_ratio_is_kept_in_even_sides() -> None:
    shown, rate, length = frames(make("video", "sea", aspect_ratio="21:9", long_side=255, duration=0.25))
    assert shown[0].shape == (110, 256, 3)
    assert (rate, length) == (Fraction(24), pytest.approx(0.25))
    assert shown[0].shape[1] == make("video", "sea", width=255, height=110, duration=0.1).width
    with av.open(io.BytesIO(make("video", "sea", **SMALL["video"]).data)) as container:
        assert container.metadata["comment"] == "genstep sandbox"


@pytest.mark.slow
def test_a_long_clip_has_fewer_frames_a_second_and_its_full_length() -> None:
    shown, rate, length = frames(make("video", "sea", width=1280, height=720, duration=5.0 * 24 / 20 + 0.5))
    assert 12 <= rate < 24
    assert length == pytest.approx(6.5, abs=1 / 12)
    assert shown[0].shape == (720, 1280, 3)


@pytest.mark.parametrize(("kind", "rate", "channels"), [("voice", 24_000, 1), ("music", 44_100, 2)])
@pytest.mark.parametrize("output_format", ["wav", "mp3"])
def test_sound_has_the_length_asked_for_and_can_be_heard(
    kind: str, rate: int, channels: int, output_format: str
) -> None:
    medium = make(kind, "Good morning, and welcome.", duration=2.5, output_format=output_format)
    samples, got_rate = soundfile.read(io.BytesIO(medium.data), always_2d=True)
    assert (got_rate, samples.shape[1]) == (rate, channels)
    assert len(samples) / rate == pytest.approx(2.5, abs=0.06 if output_format == "mp3" else 1e-4)
    assert medium.duration == pytest.approx(2.5, abs=1e-4)
    assert 0.3 < np.abs(samples).max() < 0.98
    assert np.sqrt((samples**2).mean()) > 0.02
    assert_form(medium, output_format)
    information = soundfile.info(io.BytesIO(medium.data))
    assert information.format == output_format.upper()


def test_sound_is_marked_in_the_file() -> None:
    for kind in ("voice", "music"):
        with soundfile.SoundFile(io.BytesIO(make(kind, "marks", **SMALL[kind]).data)) as file:
            assert file.comment == "genstep sandbox"
        made = make(kind, "marks", output_format="mp3", **SMALL[kind])
        with av.open(io.BytesIO(made.data)) as container:
            assert container.metadata["comment"] == "genstep sandbox"


def test_speech_takes_as_long_as_its_words_up_to_a_cap() -> None:
    short, longer, endless = (make("voice", "hello there " * n).duration or 0 for n in (1, 6, 400))
    assert 0.8 < short < longer < endless == 20.0
    assert make("voice", "hello there " * 400, duration=0.5).duration == 0.5


def test_speech_pauses_and_music_fades() -> None:
    speech, rate = soundfile.read(io.BytesIO(make("voice", "One. Two. Three. Four.").data))
    loud = np.sqrt((speech[: len(speech) // 240 * 240].reshape(-1, 240) ** 2).mean(axis=1))
    assert (loud < 0.01).mean() > 0.1
    assert (loud > 0.05).mean() > 0.1
    song, rate = soundfile.read(io.BytesIO(make("music", "calm").data))
    assert len(song) == 6 * rate
    assert np.abs(song[-200:]).max() < 0.01
    assert np.abs(song[:, 0] - song[:, 1]).max() > 0.05, "both sides are the same"


def test_text_quotes_the_prompt_below_a_line_that_says_sandbox() -> None:
    medium = make("text", "why the sky is blue")
    first, *rest = medium.data.decode().splitlines()
    assert "sandbox" in first.lower()
    assert "why the sky is blue" in "\n".join(rest)
    assert len([line for line in rest if line]) >= 3
    assert len({make("text", "why the sky is blue", seed=seed).data for seed in range(12)}) > 6


@pytest.mark.parametrize(
    ("kind", "output_format"), [("video", None), ("video", "webm"), ("voice", "mp3"), ("music", "mp3")]
)
def test_without_pyav_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, kind: str, output_format: str | None
) -> None:
    assert available(kind, output_format) is None
    monkeypatch.setitem(sys.modules, "av", None)
    message = available(kind, output_format)
    assert message is not None
    assert "pip install 'genstep[media]'" in message
    with pytest.raises(MediaUnavailable) as caught:
        make(kind, "no library", output_format=output_format, **SMALL[kind])
    assert str(caught.value) == message


def test_without_pyav_all_else_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for kind in media.KINDS:
        if kind != "video":
            assert available(kind) is None
            assert make(kind, "no library needed", **SMALL[kind]).data
    with pytest.raises(ValueError, match=r"^output_format"):
        available("image", "tiff")


@pytest.mark.slow
def test_nothing_needs_numpy() -> None:
    program = (
        "import sys; sys.modules['numpy'] = None\n"
        "from genstep.sandbox.media import KINDS, make\n"
        "small = dict(width=64, height=64, duration=0.2)\n"
        "made = [make(kind, 'a fox', output_format=form, **small) for kind in KINDS for form in KINDS[kind]]\n"
        "print(*(len(medium.data) > 100 for medium in made))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert set(done.stdout.split()) == {"True"}
