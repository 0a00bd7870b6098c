from .analysis import Analysis as Analysis
from .analysis import analyse_sweep as analyse_sweep
from .corrections import CorrectionStore as CorrectionStore
from .errors import FetalIqaError as FetalIqaError
from .geometry.biometry import AbdomenMeasurement as AbdomenMeasurement
from .geometry.biometry import measure_abdomen as measure_abdomen
from .io import read_sweep as read_sweep
from .sweep import SweepVolume as SweepVolume
