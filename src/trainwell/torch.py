"""Diagnosis of a PyTorch training loop: `preflight` before it, `watch` beside it.

>>> from trainwell.torch import watch
>>> with watch(model, optimizer, loss_fn=loss_fn) as doctor:  # doctest: +SKIP
...     for epoch in range(epochs):
...         for x, y in train_batches:
...             outputs = model(x); loss = loss_fn(outputs, y)
...             optimizer.zero_grad(); loss.backward(); optimizer.step()
...             doctor.step(x, y, outputs, loss)
...         doctor.end_epoch()
>>> print(doctor.report())  # doctest: +SKIP
"""

from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.pytorch.preflight import Preflight, preflight
from trainwell.diagnosis.pytorch.watch import Watch
from trainwell.diagnosis.pytorch.watch import Watch as watch
from trainwell.diagnosis.remedies import Remedy

__all__ = ["Finding", "Preflight", "Remedy", "Watch", "preflight", "watch"]
