"""A short run of the soak test; `python -m tests.soak` is the long one."""

import random

from automod_studio.document import edits
from tests.soak import report
from tests.soak.actions import User
from tests.soak.stage import Stage

_ACTIONS = 40  # twice: before the first count, and after it


def test_a_hundred_random_things_break_and_leave_nothing(qapp, tiny_model_path, other_model_path, tmp_path) -> None:
    stage = Stage(tmp_path, (tiny_model_path, other_model_path), random.Random(4))
    user, points = User(stage), []
    try:
        for _ in range(2):
            for _ in range(_ACTIONS):
                user.act()
            points.append(stage.go_home())
        before = stage.studio.shown
        stage.studio.session.edit("Coarse", lambda d: edits.set_range_share(d, "coarse", 0, 0.3))
        assert stage.settle()
        assert stage.studio.shown is not before
        user.check()
    finally:
        stage.close()
    print(report.text(stage.watch, points))
    assert stage.watch.troubles == []
    assert points[-1].threads == points[0].threads
    assert report.growth(points, "widgets") <= 20
