"""The scheduler of sweeps: decisions on an agent's heartbeat, the sweep's configuration, its controller, its clock."""
