"""The whole study on one machine: from videos to the table.

The study only orders what the commands do (`prepare`, `train`, `sample`, `evaluate`, `gap`, `report`); it reaches
systems and trainers by their names, as a user would. Every stage leaves a marker, and the long ones resume by
themselves.
"""
