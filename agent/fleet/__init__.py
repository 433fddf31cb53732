"""All devices of a machine at work on one sweep: `python -m agent.fleet SWEEP`.

__main__ ─► supervisor ─► fork server ─► agent, one per place on a device ─► trial, one process each
            shows lines   has imported   asks the sweep, keeps the journal   `agent.train`
                          everything
"""
