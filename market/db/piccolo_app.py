"""The one Piccolo app: every room's tables, one chain of migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

ROOMS = (
    "db",
    "accounts",
    "organisations",
    "catalogue",
    "notices",
    "audit",
    "supply",
    "demand",
    "deals",
    "bids",
    "matching",
    "meetings",
    "meetings.tour",
    "cases",
    "followup",
    "documents",
    "privacy",
)

APP_CONFIG = AppConfig(
    app_name="market",
    migrations_folder_path=str(Path(__file__).parents[2] / "migrations"),
    table_classes=table_finder([f"market.{room}.tables" for room in ROOMS]),
    migration_dependencies=[],
    commands=[],
)
