"""The whole study on one machine: from videos to the table of results.

The study only orders what the commands do (`prepare`, `train`, `sample`, `evaluate`, `gap`, `report`) and reaches
systems and trainers by their names, as a user would. Every stage leaves a marker when it is complete, and the long ones
resume.
"""
