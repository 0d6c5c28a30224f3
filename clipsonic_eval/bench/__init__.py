"""What systems, encoders and metrics cost: latency by stage, throughput, memory, energy."""
