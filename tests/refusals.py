"""What a check says when it refuses an answer."""

import pytest

from omt_course.course import checks


def refused(check, *arguments, **options):
    """Return the sentence with which a check refuses an answer; it must be a whole one."""
    with pytest.raises(checks.CheckFailed) as caught:
        check(*arguments, **options)
    sentence = str(caught.value)
    assert sentence[-1] in ".?" and "?." not in sentence and ".." not in sentence
    return sentence
