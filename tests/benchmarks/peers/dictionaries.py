"""Dictionary learners, each told to look up from time to time: `look` is called with D (obs, atom).

They start from the same dictionary, have non-negative codes and stop once `look` returns True.
Peers and the paper's learning have the same fixed λ; incremental learning has a falling one.
"""

import warnings
from collections.abc import Callable

import numpy as np

Look = Callable[[np.ndarray], bool]


class _Enough(Exception):
    """Ends a learner that cannot be told to stop."""


def mini_batches(
    observations: np.ndarray, start: np.ndarray, lam: float, threads: int, look: Look
) -> None:
    """scikit-learn's `MiniBatchDictionaryLearning`, its default batches of 256 in random order."""
    from sklearn.decomposition import MiniBatchDictionaryLearning

    learner = MiniBatchDictionaryLearning(
        start.shape[1],
        alpha=lam,
        fit_algorithm="cd",
        positive_code=True,
        dict_init=np.ascontiguousarray(start.T),
        n_jobs=threads,
        batch_size=256,
        random_state=0,
    )
    stream = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while True:
            order = stream.permutation(len(observations))
            for batch in np.array_split(order, max(1, len(order) // 256)):
                learner.partial_fit(observations[batch])
                if look(learner.components_.T):
                    return


def all_samples(
    observations: np.ndarray, start: np.ndarray, lam: float, threads: int, look: Look
) -> None:
    """scikit-learn's `DictionaryLearning`; it lets itself be looked at every five rounds."""
    from sklearn.decomposition import DictionaryLearning

    def call_back(state: dict) -> None:
        if look(state["dictionary"].T):
            raise _Enough

    learner = DictionaryLearning(
        start.shape[1],
        alpha=lam,
        fit_algorithm="cd",
        positive_code=True,
        dict_init=np.ascontiguousarray(start.T),
        code_init=np.zeros((len(observations), start.shape[1])),
        n_jobs=threads,
        max_iter=10_000,
        tol=0,
        callback=call_back,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            learner.fit(observations)
        except _Enough:
            return


def spams(
    observations: np.ndarray, start: np.ndarray, lam: float, threads: int, look: Look
) -> None:
    """SPAMS `trainDL`: online learning (Mairal et al. 2010), resumed after each pass."""
    from spams import trainDL

    columns = np.asfortranarray(observations.T)
    batch = 256
    dictionary, model = np.asfortranarray(start), None
    while True:
        dictionary, model = trainDL(
            columns,
            return_model=True,
            model=model,
            D=dictionary,
            lambda1=lam,
            posAlpha=True,
            numThreads=threads,
            batchsize=batch,
            iter=max(1, len(observations) // batch),
            verbose=False,
        )
        if look(dictionary):
            return
