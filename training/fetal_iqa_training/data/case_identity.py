"""What a case of a data set is to a card that records what taught a model."""

import logging
from collections.abc import Iterator
from functools import lru_cache

from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.labelled_frames import AnnotatedCase
from napari_fetal_iqa.corrections.subjects import salt_of_this_machine, subject_key

logger = logging.getLogger(__name__)


def things_of_case(name: str, subject: str | None) -> Iterator[Thing]:
    """Name a case and whose it is: its subject may have taught by another case.

    The subject is named by the key that corrections stores of this machine know it by, so that
    its corrected sweeps are known, too, and so that nobody can guess the name from a card. It is
    named also where the case's own name says it, as ``017_HC`` does: ``017_2HC`` does, too.

    Parameters
    ----------
    name : str
        Of the case in its data set.
    subject : str or None
        As its data set calls it.
    """
    yield "case", name
    if subject and subject.strip():
        try:
            yield "subject", _key(subject, salt_of_this_machine())
        except (OSError, ValueError) as error:
            logger.warning("%s: its subject is not noted (%s)", name, error)


def identity_of_case(case: AnnotatedCase, by_content: bool = True) -> Iterator[Thing]:
    """Name a case, whose it is, and its frames, which are read for that."""
    yield from things_of_case(case.name, case.subject_id)
    if by_content:
        yield from (("frames", source.content) for source in case.read())


@lru_cache(maxsize=4096)  # a key takes some 40 ms, so that nobody can try many names
def _key(subject: str, salt: str) -> str:
    return subject_key(subject, salt)
