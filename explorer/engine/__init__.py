"""Where tensors live: pages call the client, a worker process holds the models."""
