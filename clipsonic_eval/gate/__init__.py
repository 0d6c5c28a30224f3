"""The gate: is a candidate worse than a baseline by more than a limit allows, not worse, or can nobody tell?"""
