"""Detector files: the shipped ones say what was published, and every mistake is named."""

from typing import NamedTuple

import numpy as np
import pytest

from muonscope.detector import (
    Detector,
    SpecialChannel,
    parse_detector,
    setup_names,
    setup_text,
    shipped_detector,
)
from muonscope.errors import DetectorError


class Published(NamedTuple):
    """What the sources say of a setup, chamber by chamber."""

    z_mm: tuple[float, ...]
    views: str
    drift_offset_ns: tuple[float, ...]
    addresses: tuple[tuple[int, int, int], ...]
    offset_mm: tuple[float, ...] = (0, 0, 0, 0)
    tilt_rad: tuple[float, ...] = (0, 0, 0, 0)


STRAIGHT = ((0, 0, 63), (0, 64, 127), (1, 0, 63), (1, 64, 127))
SWAPPED = ((0, 64, 127), (0, 0, 63), (1, 0, 63), (1, 64, 127))
Z_1213 = (219.8, 977.3, 1035.6, 1819.8)
Z_1228 = (364.75, 529.75, 695.75, 790.25)
T_1213 = (95 - 1.1, 95 + 6.4, 95 + 0.5, 95 - 2.6)
T_1228 = (100 + 13.0, 100 + 13.1, 100 + 12.7, 100 + 12.0)
PUBLISHED = {
    "legnaro": Published(Z_1213, "ptpp", T_1213, STRAIGHT),
    "run001213": Published(Z_1213, "ptpp", T_1213, STRAIGHT, (2.5, 0, 0, -2.0), (0.013, 0, 0, 0)),
    "run001228": Published(Z_1228, "pppt", T_1228, STRAIGHT, (0, 1.23, 0, 0)),
    "run001231": Published(Z_1228, "pppt", T_1228, SWAPPED, (0, 1.23, 0, 0)),
    "run000591": Published((31, 93, 813, 875), "ptpt", (0, 0, 0, 0), STRAIGHT),
}
VALID = """
name = "made-up"
description = "two chambers"
inferred = ["all of it"]
drift_velocity_um_per_ns = 54

[words]
version = 2
hit_head = 2
ticks_per_bx = 30
text_channel_base = 0
text_tdc_base = 1

[[chamber]]
label = "first"
fpga = 0
channels = [0, 63]
view = "phi"
z_mm = 10
offset_mm = 1.5
tilt_rad = 0.1
drift_offset_ns = 95.0

[[chamber]]
fpga = 1
channels = [64, 127]
view = "theta"
z_mm = 800.0

[[scintillator]]
label = "above"
fpga = 1
channel = 128

[[firmware_trigger]]
channel = 138
"""


@pytest.mark.parametrize("name", PUBLISHED)
def test_shipped_setup_has_the_published_values(name: str) -> None:
    detector, published = shipped_detector(name), PUBLISHED[name]
    chambers = detector.chambers
    assert detector.name == name
    assert tuple(c.z_mm for c in chambers) == published.z_mm
    assert "".join(c.view[0] for c in chambers) == published.views
    assert tuple(c.drift_offset_ns for c in chambers) == pytest.approx(published.drift_offset_ns)
    assert tuple((c.fpga, c.first_channel, c.last_channel) for c in chambers) == published.addresses
    assert tuple(c.offset_mm for c in chambers) == published.offset_mm
    assert tuple(c.tilt_rad for c in chambers) == published.tilt_rad
    assert detector.drift_velocity_um_per_ns == pytest.approx(21_000 / 390, abs=0.01)


@pytest.mark.parametrize("name", ["legnaro", "run001213", "run001228", "run001231"])
def test_setups_of_the_third_read_out_share_words_and_special_channels(name: str) -> None:
    detector = shipped_detector(name)
    readout = detector.readout
    assert (readout.version, readout.hit_head, readout.ticks_per_bx) == (2, 2, 30)
    assert (readout.text_channel_base, readout.text_tdc_base) == (0, 1)
    assert [(s.fpga, s.channel) for s in detector.scintillators] == [(1, 128)]
    assert [(s.fpga, s.channel) for s in detector.firmware_triggers] == [(None, 138)]
    assert [a[1:] for a in detector.special_addresses(detector.firmware_triggers)] == [
        (0, 138),
        (1, 138),
    ]


def test_run000591_has_v1_words_and_text_that_counts_channels_from_one() -> None:
    detector = shipped_detector("run000591")
    readout = detector.readout
    assert (readout.version, readout.hit_head, readout.ticks_per_bx) == (1, 1, 30)
    assert (readout.text_channel_base, readout.text_tdc_base) == (1, 0)
    assert [s.channel for s in detector.scintillators] == [136, 137]
    assert [s.channel for s in detector.firmware_triggers] == [138]


def test_bologna2_is_two_chambers_on_one_board_with_pin_228_as_scintillator() -> None:
    detector = shipped_detector("bologna2")
    assert [(c.fpga, c.first_channel, c.last_channel) for c in detector.chambers] == [
        (0, 0, 63),
        (0, 64, 127),
    ]
    assert [c.drift_offset_ns for c in detector.chambers] == [223.0, 226.0]
    assert detector.scintillators == (SpecialChannel(label="scintillator", fpga=0, channel=228),)
    assert detector.readout.ticks_per_bx == 30
    assert len(detector.readout.pins) == 128
    assert any("heights are not published" in line for line in detector.inferred)


def test_a_list_of_pins_is_optional_and_checked() -> None:
    text = setup_text("legnaro")
    assert parse_detector(text).readout.pins == ()
    for pins in ("[7, 7]", "[240]", "[-1]", "[true]", "[1.5]", '["7"]', "7"):
        wrong = text.replace("[words]", f"[words]\npins = {pins}", 1)
        with pytest.raises(DetectorError, match=r"words\.pins: .*different integers 0 .. 239"):
            parse_detector(wrong)


def test_the_default_setup_comes_first_and_every_listed_one_loads() -> None:
    names = setup_names()
    assert names[0] == "legnaro"
    assert shipped_detector() == shipped_detector("legnaro")
    assert set(names) == {*PUBLISHED, "bologna2"}
    assert [shipped_detector(name).name for name in names] == names


def test_an_unknown_setup_lists_the_shipped_ones() -> None:
    with pytest.raises(DetectorError) as caught:
        setup_text("run9")
    assert "'run9'" in str(caught.value)
    assert all(name in str(caught.value) for name in setup_names())


def test_a_description_is_read_key_by_key() -> None:
    detector = parse_detector(VALID)
    first, second = detector.chambers
    assert (first.label, first.fpga, first.first_channel, first.last_channel) == ("first", 0, 0, 63)
    assert (first.view, first.z_mm, first.offset_mm, first.tilt_rad) == ("phi", 10.0, 1.5, 0.1)
    assert isinstance(first.z_mm, float)
    assert (second.label, second.offset_mm, second.drift_offset_ns) == ("chamber 1", 0.0, 0.0)
    assert detector.scintillators == (SpecialChannel(label="above", fpga=1, channel=128),)
    assert detector.firmware_triggers == (
        SpecialChannel(label="channel 138", fpga=None, channel=138),
    )
    assert (detector.description, detector.inferred) == ("two chambers", ("all of it",))
    assert detector.drift_velocity_um_per_ns == 54.0


@pytest.mark.parametrize(("version", "bases"), [(1, (1, 0)), (2, (0, 1))])
def test_bases_of_the_text_follow_the_version_where_they_are_not_given(
    version: int, bases: tuple[int, int]
) -> None:
    text = VALID.replace("text_channel_base = 0\ntext_tdc_base = 1\n", "")
    readout = parse_detector(text.replace("version = 2", f"version = {version}")).readout
    assert (readout.text_channel_base, readout.text_tdc_base) == bases


def test_a_detector_is_hashable_and_what_is_inferred_does_not_count() -> None:
    other = parse_detector(VALID.replace('["all of it"]', "[]"))
    assert hash(parse_detector(VALID)) == hash(other)
    assert parse_detector(VALID) == other
    assert other.inferred == ()


MISTAKES = {
    "name missing": ('name = "made-up"\n', "", "name: missing"),
    "name with blanks": ('"made-up"', '"made up"', "name: found 'made up'"),
    "name empty": ('"made-up"', '""', "name: found ''"),
    "name with a path": ('"made-up"', '"../up"', "name: found '../up'"),
    "name with a newline at its end": ('"made-up"', '"made-up\\n"', "name: found 'made-up\\n'"),
    "name too long": ('"made-up"', f'"{"n" * 65}"', "name: found"),
    "name no string": ('"made-up"', "7", "name: found 7, expected a string"),
    "description no string": ('"two chambers"', "[]", "description: found []"),
    "inferred no list": ('["all of it"]', '"all"', "inferred: found 'all'"),
    "inferred of numbers": ('["all of it"]', "[1]", "inferred: found [1]"),
    "unknown key on top": ("[words]", "colour = 1\n[words]", "colour: unknown key"),
    "unknown key in words": ("hit_head", "hit_hea = 1\nhit_head", "words.hit_hea: unknown key"),
    "unknown key in a chamber": ("tilt_rad", "tilt", "chamber[0].tilt: unknown key"),
    "unknown key in a scintillator": (
        'label = "above"',
        "lable = 1",
        "scintillator[0].lable: unknown key",
    ),
    "unknown table": ("[[scintillator]]", "[[scintilator]]", "scintilator: unknown key"),
    "words missing": ("[words]", "[[words]]", "words: found"),
    "words no table": ("[words]", "words = 2\n[word]", "words: found 2, expected a table"),
    "version missing": ("version = 2\n", "", "words.version: missing"),
    "version unknown": ("version = 2", "version = 3", "words.version: found 3"),
    "version a string": ("version = 2", 'version = "2"', "words.version: found '2'"),
    "version a bool": ("version = 2", "version = true", "words.version: found True"),
    "version a float": ("version = 2", "version = 2.0", "words.version: found 2.0"),
    "hit_head missing": ("hit_head = 2\n", "", "words.hit_head: missing"),
    "hit_head too big": ("hit_head = 2", "hit_head = 8", "words.hit_head: found 8"),
    "hit_head too big for v1": (
        "version = 2\nhit_head = 2",
        "version = 1\nhit_head = 4",
        "words.hit_head: found 4, expected an integer 0 .. 3",
    ),
    "ticks unknown": ("ticks_per_bx = 30", "ticks_per_bx = 31", "words.ticks_per_bx: found 31"),
    "channel base": ("channel_base = 0", "channel_base = 2", "words.text_channel_base: found 2"),
    "channel base a bool": (
        "channel_base = 0",
        "channel_base = false",
        "words.text_channel_base: found False",
    ),
    "tdc base": ("tdc_base = 1", "tdc_base = -1", "words.text_tdc_base: found -1"),
    "velocity zero": ("per_ns = 54", "per_ns = 0", "drift_velocity_um_per_ns: found 0"),
    "velocity nan": ("per_ns = 54", "per_ns = nan", "drift_velocity_um_per_ns: found nan"),
    "velocity a bool": ("per_ns = 54", "per_ns = true", "drift_velocity_um_per_ns: found True"),
    "fpga missing": ("fpga = 0\n", "", "chamber[0].fpga: missing"),
    "fpga negative": ("fpga = 0", "fpga = -1", "chamber[0].fpga: found -1"),
    "fpga too big": ("fpga = 0", "fpga = 8", "chamber[0].fpga: found 8"),
    "fpga too long to print": (
        "fpga = 0",
        "fpga = 0x" + "f" * 5000,
        "chamber[0].fpga: found a very long int",
    ),
    "channels missing": ("channels = [0, 63]\n", "", "chamber[0].channels: missing"),
    "channels reversed": ("[0, 63]", "[63, 0]", "chamber[0].channels: found [63, 0]"),
    "channels too big": ("[0, 63]", "[0, 512]", "chamber[0].channels: found [0, 512]"),
    "channels negative": ("[0, 63]", "[-1, 63]", "chamber[0].channels: found [-1, 63]"),
    "channels three": ("[0, 63]", "[0, 1, 63]", "chamber[0].channels: found [0, 1, 63]"),
    "channels bools": ("[0, 63]", "[false, true]", "chamber[0].channels: found [False, True]"),
    "channels floats": ("[0, 63]", "[0.0, 63.0]", "chamber[0].channels: found [0.0, 63.0]"),
    "channels a number": ("[0, 63]", "63", "chamber[0].channels: found 63"),
    "view missing": ('view = "phi"\n', "", "chamber[0].view: missing"),
    "view unknown": ('"phi"', '"x"', "chamber[0].view: found 'x', expected one of 'phi', 'theta'"),
    "z missing": ("z_mm = 10\n", "", "chamber[0].z_mm: missing"),
    "z infinite": ("z_mm = 10", "z_mm = inf", "chamber[0].z_mm: found inf"),
    "z minus infinite": ("z_mm = 10", "z_mm = -inf", "chamber[0].z_mm: found -inf"),
    "z nan": ("z_mm = 10", "z_mm = nan", "chamber[0].z_mm: found nan"),
    "z far away": ("z_mm = 10", "z_mm = 1e7", "chamber[0].z_mm: found 10000000.0"),
    "z a string": ("z_mm = 10", 'z_mm = "10"', "chamber[0].z_mm: found '10'"),
    "offset nan": ("offset_mm = 1.5", "offset_mm = nan", "chamber[0].offset_mm: found nan"),
    "tilt too big": ("tilt_rad = 0.1", "tilt_rad = 1.7", "chamber[0].tilt_rad: found 1.7"),
    "drift offset": ("_ns = 95.0", "_ns = 1e6", "chamber[0].drift_offset_ns: found 1000000.0"),
    "label no string": ('"first"', "1", "chamber[0].label: found 1, expected a string"),
    "second chamber": ("z_mm = 800.0", "z_mm = true", "chamber[1].z_mm: found True"),
    "chamber no array": ("[[chamber]]", "[chamber]", "not valid TOML"),
    "special without channel": ("channel = 128\n", "", "scintillator[0].channel: missing"),
    "special channel too big": ("channel = 138", "channel = 512", "firmware_trigger[0].channel"),
    "special fpga": ("fpga = 1\nchannel = 128", "fpga = 9\nchannel = 128", "scintillator[0].fpga"),
    "special fpga -1": (
        "fpga = 1\nchannel = 128",
        "fpga = -1\nchannel = 128",
        "scintillator[0].fpga: found -1",
    ),
    "chambers overlap": (
        "fpga = 1\nchannels = [64, 127]",
        "fpga = 0\nchannels = [63, 127]",
        "chamber[1]: FPGA 0 channel 63 already belongs to chamber[0]",
    ),
    "scintillator on a wire": (
        "channel = 128",
        "channel = 100",
        "scintillator[0]: FPGA 1 channel 100 already belongs to chamber[1]",
    ),
    "trigger on the scintillator": (
        "channel = 138",
        "channel = 128",
        "firmware_trigger[0]: FPGA 1 channel 128 already belongs to scintillator[0]",
    ),
    "two chambers of one label": (
        "fpga = 1\nchannels",
        'label = "first"\nfpga = 1\nchannels',
        "chamber[1].label: 'first' is that of chamber[0]",
    ),
    "a label as another has by its number": (
        'label = "first"',
        'label = "chamber 1"',
        "chamber[1].label: 'chamber 1' is that of chamber[0]",
    ),
    "no TOML": ("name =", "name", "not valid TOML"),
    "key twice": ("[words]", 'name = "b"\n[words]', "not valid TOML"),
    "number of 5000 digits": ("[words]", f"a = {'9' * 5000}\n[words]", "not valid TOML"),
    "nested too deep": ("[words]", f"a = {'[' * 100_000}\n[words]", "not valid TOML"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_its_key_and_file(mistake: str) -> None:
    before, after, expected = MISTAKES[mistake]
    assert before in VALID
    with pytest.raises(DetectorError) as caught:
        parse_detector(VALID.replace(before, after, 1), where="my.toml")
    message = str(caught.value)
    assert message.startswith("my.toml: ")
    assert expected in message
    assert len(message) < 600


@pytest.mark.parametrize("chambers", ["", "chamber = []\n"])
def test_a_detector_without_chambers_is_refused(chambers: str) -> None:
    words = "[words]\nversion = 2\nhit_head = 2\n"
    with pytest.raises(DetectorError, match=r"^my\.toml: chamber: none found"):
        parse_detector(f'name = "none"\n{chambers}{words}', where="my.toml")


@pytest.mark.parametrize("found", ["3", "[1, 2]", '"phi"'])
def test_chambers_that_are_no_tables_are_refused(found: str) -> None:
    words = "[words]\nversion = 2\nhit_head = 2\n"
    with pytest.raises(DetectorError, match=r"^my\.toml: chamber: found .*\[\[chamber\]\]"):
        parse_detector(f'name = "none"\nchamber = {found}\n{words}', where="my.toml")


def test_an_empty_file_names_the_first_key_that_is_missing() -> None:
    with pytest.raises(DetectorError, match=r"^my\.toml: words: missing, expected a table$"):
        parse_detector("", where="my.toml")


def test_setups_that_share_a_name_with_nothing_else_are_all_different() -> None:
    detectors: list[Detector] = [shipped_detector(name) for name in setup_names()]
    assert len(set(detectors)) == len(detectors)


@pytest.mark.parametrize(
    "line",
    [
        "recabled = { 108 = 110 }", "recabled = { 5 = 6, 6 = 64 }", "recabled = { x = 5, 5 = 5 }",
        "recabled = { 5 = 6.0, 6 = 5 }", "recabled = { 5 = 6, 6 = true }", "recabled = [5, 6]",
        "layer_times_ns = [1, 2, 3]", "layer_times_ns = [1, 2, 3, true]", "layer_times_ns = 4",
        "layer_times_ns = [1, 2, 3, inf]",
    ],
)  # fmt: skip
def test_cables_and_times_of_layers_that_make_no_sense_are_refused(line: str) -> None:
    text = setup_text("legnaro").replace("channels = [0, 63]", f"channels = [0, 63]\n{line}", 1)
    with pytest.raises(DetectorError, match=rf"chamber\[0\].{line.split(maxsplit=1)[0]}: found"):
        parse_detector(text)


@pytest.mark.parametrize("found", ["[1]", "[1, true]", "[0, 5001]", "[nan, 0]", "7", str([0] * 65)])
def test_corrections_of_the_drift_relation_that_make_no_sense_are_refused(found: str) -> None:
    text = f"rt_corrections_um = {found}\n{setup_text('legnaro')}"
    with pytest.raises(DetectorError, match=r"rt_corrections_um: found .*, expected a list of 2"):
        parse_detector(text)


def test_recabled_channels_exchange_their_places_and_nothing_else() -> None:
    plain, text = shipped_detector(), setup_text("legnaro")
    line = "recabled = { 5 = 9, 9 = 5 }"
    detector = parse_detector(text.replace("channels = [0, 63]", f"channels = [0, 63]\n{line}", 1))
    before, after = plain.cells(), detector.cells()
    assert after.channel.tolist() == before.channel.tolist()
    assert (after.layer[5], after.wire[5]) == (before.layer[9], before.wire[9])
    assert (after.x_mm[9], after.z_mm[9]) == (before.x_mm[5], before.z_mm[5])
    others = np.delete(np.arange(256), [5, 9])
    assert (after.x_mm[others] == before.x_mm[others]).all()
    assert detector.fingerprint != plain.fingerprint
