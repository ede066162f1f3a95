"""Draw a problem, fit methods, infer codes and score them: in memory, without Snakemake.

python examples/without_snakemake.py    # half a minute
"""

import torch

from sae_surgery import methods, metrics, problems
from sae_surgery.methods.base import Lesson
from sae_surgery.metrics.base import Seen, Target
from sae_surgery.problems.laws.splits import by_split

SEED, CPU = 0, torch.device("cpu")
BUDGETS = {"sae_topk": {"epochs": 100}, "dl_fista": {"max_rounds": 100}, "fista_oracle": {}}
SHOWN = ("mcc_id", "mcc_ood", "support_f1_ood", "dictionary_mean_cosine")

# y = A z, 5 of 50 latents active; out of distribution in combinations that training never shows.
problem = problems.kind("paper").at({"n_latents": 50, "k": 5, "n_samples": 2000})
drawn = problem.draw(SEED)
samples = by_split(problem, drawn)
scored = {"id": samples["val"], "ood": samples["ood"]}
parts = ({split: part[i] for split, part in scored.items()} for i in range(3))
target = Target(*parts, truth=drawn.dictionary)


def tensor(values):
    """Return values as all methods take them: in single precision, with a first axis for seeds."""
    return torch.from_numpy(values).float()[None]


print(f"{'':16}", *(f"{name:>22}" for name in SHOWN))
for name, settings in BUDGETS.items():
    method = methods.load(name, settings)
    seen = {split: tensor(samples[split].observations) for split in method.learns_from}
    truth = tensor(drawn.dictionary) if "dictionary" in method.knows else None
    model = method.fit(Lesson(problem, (SEED,), CPU, seen, truth)).model
    codes = {s: method.encode(model, tensor(y), problem)[0] for s, y in target.observations.items()}
    codes, atoms = {s: z.numpy() for s, z in codes.items()}, model.tensor("dictionary")[0].numpy()
    scores = metrics.score("paper", Seen(target, codes, atoms))
    print(f"{method.title:16}", *(f"{scores[name]:22.3f}" for name in SHOWN))
