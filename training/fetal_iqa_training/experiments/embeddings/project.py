"""What an encoder makes of frames: its embeddings, seen in the plane, and how far labels part."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fetal_iqa_models import Encoder
from fetal_iqa_training.experiments.part_frames import outputs

PERPLEXITY = 30.0
"""Of t-SNE, as van der Maaten and Hinton have it; less where there are few frames."""
_KEPT_FOR_TSNE = 50
"""Principal components that t-SNE starts from (van der Maaten and Hinton, JMLR 2008)."""

Embeddings = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Projection:
    """Embeddings in the plane.

    Parameters
    ----------
    pca : (N, 2) float
        First two principal components.
    variance : (float, float)
        Share of the variance that each explains.
    tsne : (N, 2) float
    """

    pca: NDArray[np.float64]
    variance: tuple[float, float]
    tsne: NDArray[np.float64]


@dataclass(frozen=True)
class Separation:
    """How far frames with an abdomen lie from those without, in the whole embedding.

    Parameters
    ----------
    silhouette : float
        Mean over the frames, -1 to 1: 0 where the two kinds lie in each other.
    balanced : float
        Mean of the two kinds' means: frames without an abdomen are many, and would decide alone.

    References
    ----------
    Rousseeuw, Silhouettes, J. Comput. Appl. Math. 20 (1987); Euclidean distances.
    """

    silhouette: float
    balanced: float


def embed(encoder: Encoder, frames: NDArray[np.uint8], device: str) -> Embeddings:
    """Return what a classifier's last layer sees.

    Parameters
    ----------
    encoder : Encoder
    frames : (N, S, S) uint8 array
        At the encoder's size.
    device : {"auto", "cuda", "mps", "cpu"}

    Returns
    -------
    (N, D) float32 array
    """
    return torch.cat(list(outputs(encoder.eval(), encoder.spec, frames, device))).numpy()


def project(embeddings: Embeddings, seed: int) -> Projection:
    """Project embeddings by PCA and by t-SNE, which starts from the PCA.

    Parameters
    ----------
    embeddings : (N, D) float array
        N of 5 or more. Where all are the same, all points are the origin.
    seed : int
        Of t-SNE; the same seed gives the same picture.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if (embeddings == embeddings[0]).all():  # a dead encoder: t-SNE would divide by zero
        points = np.zeros((len(embeddings), 2))
        return Projection(points, (0.0, 0.0), points)
    count = min(*embeddings.shape, _KEPT_FOR_TSNE)
    # the full solver: "auto" may draw random vectors, and the picture would depend on them
    pca = PCA(count, svd_solver="full").fit(embeddings.astype(np.float64))
    components = pca.transform(embeddings.astype(np.float64))
    # t-SNE looks at 3 x perplexity neighbours of a frame: there are N - 1
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(embeddings) - 1) / 3), init="pca", random_state=seed
    )
    first, second = pca.explained_variance_ratio_[:2]
    return Projection(
        components[:, :2], (float(first), float(second)), tsne.fit_transform(components)
    )


def separation(embeddings: Embeddings, positive: NDArray[np.bool_]) -> Separation | None:
    """Measure how far the two kinds of frames part; None where there is one kind only.

    Parameters
    ----------
    embeddings : (N, D) float array
    positive : (N,) bool array
    """
    from sklearn.metrics import silhouette_samples

    if len(positive) < 3 or positive.all() or not positive.any():
        return None
    of_frame = silhouette_samples(embeddings, positive)
    kinds = of_frame[positive].mean(), of_frame[~positive].mean()
    return Separation(float(of_frame.mean()), float(np.mean(kinds)))
