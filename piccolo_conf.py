"""Where Piccolo's own commands (``piccolo migrations new market --auto``) find the engine and the tables."""

from piccolo.conf.apps import AppRegistry

from market.db.session import DB

__all__ = ["APP_REGISTRY", "DB"]

APP_REGISTRY = AppRegistry(apps=["market.db.piccolo_app"])
