"""What the LISTA methods share: a network trained for a dictionary that stays fixed."""

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from sae_surgery.learning.lista import Lista, ListaParameters, encode_lista, train_lista
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem

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
    def dictionary(self, lesson: Lesson) -> Tensor:
        """Return the dictionary (seed, obs, atom) to train for."""

    def fit(self, lesson: Lesson) -> Fitted:
        """Train all seeds' networks in the same steps."""
        return Fitted(self._train(lesson, self.dictionary(lesson)))

    def with_dictionary(self, model: Model, dictionary: Tensor, lesson: Lesson) -> Model:
        """Train networks for another dictionary."""
        return self._train(lesson, dictionary)

    def _train(self, lesson: Lesson, dictionary: Tensor) -> Model:
        observations = lesson.observations[self.settings.learns_from]
        parameters = train_lista(
            observations,
            dictionary,
            lesson.seeds,
            self.settings,
            lesson.track,
            lesson.checkpoint,
            lesson.divergence,
        )
        model = Model(
            dictionary=Parameter(dictionary, ("obs", "atom"), "dictionary of the loss"),
        )
        for name, (dims, long_name) in PARAMETERS.items():
            model[name] = Parameter(getattr(parameters, name), dims, long_name)
        return model

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Run the network."""
        parameters = ListaParameters(**{name: model.tensor(name) for name in PARAMETERS})
        return encode_lista(observations, parameters)
