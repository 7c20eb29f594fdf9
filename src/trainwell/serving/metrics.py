"""What Prometheus is told: requests, seconds, rows, batches; named as its guide wants: base units, ``_total`` for counters."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # chosen: around the 5 ms of one row
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counted from the start of one server; nothing is shared with other servers of the process."""

    media_type = "text/plain; version=1.0.0; charset=utf-8"

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter("trainwell_requests_total", "Requests answered.", ("path", "status"), registry=own)
        self.seconds = Histogram("trainwell_request_seconds", "Until the answer.", ("path",), buckets=SECONDS, registry=own)
        self.in_flight = Gauge("trainwell_requests_in_flight", "Requests without an answer yet.", registry=own)
        self.rows = Counter("trainwell_rows_total", "Rows that were predicted.", registry=own)
        self.together = Histogram("trainwell_batch_requests", "Requests predicted together.", buckets=BATCHES, registry=own)

    def answered(self, path: str, status: int, seconds: float) -> None:
        self.requests.labels(path, str(status)).inc()
        self.seconds.labels(path).observe(seconds)

    def predicted(self, requests: int, rows: int) -> None:
        self.rows.inc(rows)
        self.together.observe(requests)

    def text(self) -> bytes:
        return generate_latest(self.registry)
