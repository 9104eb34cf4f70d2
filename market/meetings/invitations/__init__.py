"""Whom the town invites: links, answers, registrations, reminders, persons, and whom they wish to meet."""
