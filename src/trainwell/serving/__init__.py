"""A model behind HTTP: predictions, its table's schema, health and metrics. The only room that imports FastAPI and uvicorn."""
