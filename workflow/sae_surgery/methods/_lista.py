"""What the LISTA methods share: a network trained for a dictionary that stays fixed."""

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from sae_surgery.learning.lista import Lista, ListaParameters, encode_lista, train_lista
from sae_surgery.methods.base import Fitted, Method, Model, Parameter, Problem
from sae_surgery.problems.paper import Cell

PARAMETERS = {
    "recurrent": (("layer", "atom", "atom_before"), "recurrent weights W"),
    "encoder": (("layer", "atom", "obs"), "input weights S"),
    "thresholds": (("layer", "atom"), "thresholds θ, used by absolute value"),
}
"""Field of `ListaParameters` → dimensions and long name in the model."""


class ListaMethod(Method):
    """An unrolled network for a fixed dictionary; a subclass says which dictionary."""

    family = "sparse coding"
    signed = True
    Settings: ClassVar[type] = Lista

    @property
    def learns_from(self) -> tuple[str, ...]:
        """One split."""
        return (self.settings.learns_from,)

    @abstractmethod
    def dictionary(self, problem: Problem) -> Tensor:
        """Return the dictionary (seed, obs, atom) to train for."""

    def fit(self, problem: Problem) -> Fitted:
        """Train all seeds' networks in the same steps."""
        return Fitted(self._train(problem, self.dictionary(problem)))

    def with_dictionary(self, model: Model, dictionary: Tensor, problem: Problem) -> Model:
        """Train networks for another dictionary."""
        return self._train(problem, dictionary)

    def _train(self, problem: Problem, dictionary: Tensor) -> Model:
        observations = problem.observations[self.settings.learns_from]
        parameters = train_lista(
            observations,
            dictionary,
            problem.seeds,
            self.settings,
            problem.track,
            problem.checkpoint,
            problem.divergence,
        )
        model = Model(
            dictionary=Parameter(dictionary, ("obs", "atom"), "dictionary of the loss"),
        )
        for name, (dims, long_name) in PARAMETERS.items():
            model[name] = Parameter(getattr(parameters, name), dims, long_name)
        return model

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Run the network."""
        parameters = ListaParameters(**{name: model.tensor(name) for name in PARAMETERS})
        return encode_lista(observations, parameters)
