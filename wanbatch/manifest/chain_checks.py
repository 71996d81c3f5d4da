"""The checks of chains in a manifest: whether each frame that a shot is given can be there, and suits it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import gcd

from wanbatch.batch.chains import Chains
from wanbatch.batch.frames import frame_in, seconds_text
from wanbatch.batch.given_files import FileKind, Files, GivenFile, hash_in
from wanbatch.batch.input_fields import bounds_of
from wanbatch.batch.models import Order, order_of
from wanbatch.batch.picture_bounds import doubts_about
from wanbatch.batch.registry import registry
from wanbatch.batch.shots import Shot
from wanbatch.manifest.frames import AT, FROM, TAKE, Link
from wanbatch.manifest.roles import field_of
from wanbatch.manifest.tree import Problems
from wanbatch.manifest.words import meant, shown

_RATIO = re.compile(r"([0-9]{1,4}):([0-9]{1,4})")
_BEGIN = "first_frame"
_ENDS = (_BEGIN, "last_frame")  # roles whose picture is a frame of the clip: it has the clip's shape
_NEAR = 0.03  # 1088x832 counts as 4:3: sizes are whole multiples of the coder's blocks
_CIRCLE_SHOWN = 8


class ChainChecker:
    """Checks the chains of one manifest: its shots by id, and the links of each."""

    def __init__(self, shots: Sequence[Shot], files: Files, problems: Problems) -> None:
        self._shots = {shot.id: shot for shot in shots}
        self._files = files
        self._problems = problems
        self._shapes: dict[str, tuple[float, str] | None] = {}

    def check(self, links: Mapping[str, Sequence[Link]], listed: Iterable[str]) -> None:
        """Note every problem of chains at its place; `listed` are all ids, also of shots with other problems."""
        known, found = set(listed), len(self._problems.found)
        for shot_id, of_shot in links.items():
            for link in of_shot:
                self._check_name(shot_id, link, known)
        before = {
            shot_id: [link.frame.shot_id for link in of_shot if link.frame.shot_id != shot_id]
            for shot_id, of_shot in links.items()
        }
        for circle in Chains.of(before.items()).circles():
            self._tell_circle(circle, links)
        if len(self._problems.found) > found:
            return
        for shot_id, of_shot in links.items():
            for link in of_shot:
                if shot_id in self._shots and link.frame.shot_id in self._shots:
                    self._check_link(self._shots[shot_id], self._shots[link.frame.shot_id], link)

    def _check_name(self, shot_id: str, link: Link, known: set[str]) -> None:
        other, at = link.frame.shot_id, link.place_of(FROM)
        if other == shot_id:
            self._problems.add(at, f"{link.written} continues from {other}, which is this shot; name another")
        elif other not in known:
            words = f"{link.written} continues from {shown(other)}, but no shot has this id"
            self._problems.add(at, words + meant(other, known - {shot_id}))

    def _tell_circle(self, circle: Sequence[str], links: Mapping[str, Sequence[Link]]) -> None:
        """Name all shots of a circle, at the link that closes it."""
        pairs = [f"{one} from {other}" for one, other in pairwise([*circle, circle[0]])][:_CIRCLE_SHOWN]
        told = ", ".join([*pairs, *(["..."] if len(circle) > _CIRCLE_SHOWN else [])])
        link = next(each for each in links[circle[0]] if each.frame.shot_id == circle[1 % len(circle)])
        words = f"these shots continue from each other in a loop ({told}): one of them has to begin"
        self._problems.add(link.place_of(FROM), f"{words} without another's frame")

    def _check_link(self, shot: Shot, other: Shot, link: Link) -> None:
        problems, frame = self._problems, link.frame
        if other.omit and not shot.omit:
            words = f"{link.written} continues from {other.id}, which is omitted, so it will have no clip"
            problems.add(link.place_of(FROM), f"{words}; omit this shot, too, or name another")
        wanted = len(other.recipes)
        if frame.take is not None and frame.take > wanted:
            takes = f"{wanted} take{'s' * (wanted != 1)}"
            words = f"{link.written} waits for take {frame.take} of {other.id}, but the manifest asks for {takes}"
            problems.warn(link.place_of(TAKE), f"{words}: it will be sent when a retake has that number")
        length_s = order_of(other.recipes[0]).length_s
        if frame.at_ms is not None and length_s is not None and frame.at_ms >= length_s * 1000:
            words = f"{link.written}.at is {seconds_text(frame.at_ms)} s, but {other.id} lasts {length_s} s"
            problems.add(link.place_of(AT), f"{words}; leave out at to use its last frame")
        self._check_bounds(shot, other, link)
        ends = [shot.request.get(_field(shot, role) or "") for role in _ENDS]
        if frame.text in ends and not self._check_ends(shot, link, ends):
            self._check_shape(shot, other, link)

    def _check_bounds(self, shot: Shot, other: Shot, link: Link) -> None:
        """Warn of a frame that is too large or too small by what is documented, where its size is known before."""
        model, size = registry().get(shot.model), self._size_of(other)
        if model is not None and size is not None:
            picture = GivenFile("", "", FileKind.PICTURE, "PNG", 0, *size)
            for doubt in doubts_about(picture, bounds_of(model), has_alpha=False):
                words = f"{link.written} continues from {other.id}, whose picture {doubt}"
                self._problems.warn(link.place_of(FROM), f"{words}; {model.name} may refuse it")

    def _size_of(self, shot: Shot) -> tuple[int, int] | None:
        """Return width and height of a shot in pixels, as far as its resolution and its shape tell them."""
        order, shape = order_of(shot.recipes[0]), self._shape_of(shot.id)
        short = _lines_of(order)
        if order.frame_size is not None or short is None or shape is None:
            return order.frame_size
        return (round(short * shape[0]), short) if shape[0] >= 1 else (short, round(short / shape[0]))

    def _check_ends(self, shot: Shot, link: Link, ends: Sequence[object]) -> bool:
        """Compare the first picture of a clip with the last one; say whether they differ. That is one problem."""
        first, last = map(self._shape_of_end, ends)
        if self._own_shape(shot) is not None or first is None or last is None or abs(first[0] / last[0] - 1) <= _NEAR:
            return False
        if frame_in(str(ends[1])) is None or link.frame.text == ends[1]:
            words = f"the clip would begin with a picture of {first[1]} and end with one of {last[1]}"
            self._problems.add(link.place_of(FROM), f"{link.written}: {words}; give both the same aspect ratio")
        return True

    def _shape_of_end(self, value: object) -> tuple[float, str] | None:
        """Return the shape of a picture that a clip begins or ends with; None for one that is not known yet."""
        frame = frame_in(str(value or ""))
        return self._of_file(value) if frame is None else self._shape_of(frame.shot_id)

    def _check_shape(self, shot: Shot, other: Shot, link: Link) -> None:
        """Compare the picture of a shot with that which it is given."""
        own, given = self._own_shape(shot), self._shape_of(other.id)
        at = link.place_of(FROM)
        if own is not None and given is not None and abs(own[0] / given[0] - 1) > _NEAR:
            words = f"{link.written} continues from {other.id}, whose picture is {given[1]}, but this shot is {own[1]}"
            self._problems.add(at, f"{words}; give both the same aspect_ratio")
            return
        mine, theirs = (_lines_of(order_of(each.recipes[0])) for each in (shot, other))
        if mine is not None and theirs is not None and mine != theirs:
            words = f"{link.written} continues from {other.id}, which is made with {theirs} lines"
            self._problems.warn(at, f"{words}, but this shot with {mine}: the size changes at the join")

    def _own_shape(self, shot: Shot) -> tuple[float, str] | None:
        """Return width to height of a shot, and in words, as far as its request says it."""
        order = order_of(shot.recipes[0])
        if order.frame_size is not None:
            return _shape(*order.frame_size)
        ratio = _RATIO.fullmatch(order.aspect_ratio or "")
        return None if ratio is None or not int(ratio[2]) else _shape(int(ratio[1]), int(ratio[2]))

    def _shape_of(self, shot_id: str) -> tuple[float, str] | None:
        """Return width to height of a shot; one that says nothing has the shape of the picture that it begins from."""
        way: list[str] = []
        while shot_id not in self._shapes and shot_id in self._shots:
            way.append(shot_id)
            shape = self._own_shape(self._shots[shot_id]) or self._begun_from_file(self._shots[shot_id])
            begun = self._begun_from(self._shots[shot_id])
            if shape is not None or begun is None or begun in way:
                self._shapes[shot_id] = shape
            else:
                shot_id = begun
        found = self._shapes.get(shot_id)
        self._shapes.update(dict.fromkeys(way, found))
        return found

    def _begun_from(self, shot: Shot) -> str | None:
        """Return the shot whose frame a shot begins from; None without one."""
        frame = frame_in(shot.request.get(_field(shot, _BEGIN) or ""))
        return None if frame is None else frame.shot_id

    def _begun_from_file(self, shot: Shot) -> tuple[float, str] | None:
        return self._of_file(shot.request.get(_field(shot, _BEGIN) or ""))

    def _of_file(self, value: object) -> tuple[float, str] | None:
        file = self._files.get(hash_in(value) or "")
        return None if file is None or not file.height else _shape(file.width, file.height)


def _field(shot: Shot, role: str) -> str | None:
    """Return the field of a shot's model that plays a role; None if it has none."""
    model = registry().get(shot.model)
    return None if model is None else role if role in model.parameters else field_of(model, role)


def _shape(width: int, height: int) -> tuple[float, str]:
    part = gcd(width, height)
    is_named = width // part <= 21 and height // part <= 21
    return width / height, f"{width // part}:{height // part}" if is_named else f"{width}x{height}"


def _lines_of(order: Order) -> int | None:
    """Return how many lines the short side of a shot has, as far as its resolution says it."""
    if order.frame_size is not None:
        return min(order.frame_size)
    found = re.fullmatch(r"([0-9]{3,4})[pP]", str(order.resolution or ""))
    return None if found is None else int(found[1])
