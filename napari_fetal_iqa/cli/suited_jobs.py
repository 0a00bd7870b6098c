"""One analysis job for real sweeps and one for phantoms, as the models in use may differ."""

from collections.abc import Callable

from napari_fetal_iqa.cli.batch import AnalysisJob, AnnouncedAnalyser
from napari_fetal_iqa.cli.terminal import echo
from napari_fetal_iqa.model_library.automatic import IN_WORDS, kind_of, suited
from napari_fetal_iqa.storage.settings import AUTOMATIC
from napari_fetal_iqa.sweep import SweepVolume

Make = Callable[[str, str], AnnouncedAnalyser]


class SuitedJobs:
    """Gives each sweep the job whose models suit it; says which they are, once for each kind.

    Parameters
    ----------
    cls_model, seg_model : str
        References; empty for none, "automatic" for the built-in one that suits the sweep.
    analyser : callable
        Makes one of a CLS and a SEG model.
    job : callable
        Makes a job of an analyser.
    announce : bool
        Whether to say which models there are even where they are the same for every sweep.

    Raises
    ------
    AnalysisError, fetal_iqa_models.ModelError
        Where the analyser cannot be made: at once, and not at the first sweep.
    """

    def __init__(
        self,
        cls_model: str,
        seg_model: str,
        analyser: Make,
        job: Callable[[AnnouncedAnalyser], AnalysisJob],
        announce: bool,
    ) -> None:
        self._automatic = AUTOMATIC in (cls_model, seg_model)
        self._models = {
            simulated: (suited(cls_model, "cls", simulated), suited(seg_model, "seg", simulated))
            for simulated in (False, True)
        }
        # one where they are the same, so that they are loaded once
        self._analysers = {pair: analyser(*pair) for pair in set(self._models.values())}
        self._jobs = {pair: job(one) for pair, one in self._analysers.items()}
        self._told: set[bool] = set()
        if announce and not self._automatic:
            named = self._analysers[self._models[False]].setup.models
            echo("Models: " + ", ".join(f"{one.id} ({one.hash[:12]})" for one in named), err=True)

    def analyser(self, sweep: SweepVolume) -> AnnouncedAnalyser:
        """Return the models that suit a sweep."""
        return self._analysers[self._models[sweep.simulated]]

    def job(self, sweep: SweepVolume) -> AnalysisJob:
        """Return the job of a sweep, and say of models that nobody chose what they are good for."""
        if self._automatic and sweep.simulated not in self._told:
            self._told.add(sweep.simulated)
            setup = self.analyser(sweep).setup
            echo(f"Models for {IN_WORDS[kind_of(sweep.simulated)]}:", err=True)
            for line, model in zip(setup.about(), setup.models, strict=True):
                echo(f"  {line}; {model.hash[:12]}", err=True)
        return self._jobs[self._models[sweep.simulated]]
