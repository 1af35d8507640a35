"""Schedules: recurring runs of recipes, with cron times, retries, logs, notices and a table of what ran."""
