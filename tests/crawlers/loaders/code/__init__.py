"""Tests of code and notebooks."""
