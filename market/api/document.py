"""The OpenAPI document of /api/v1, served as ``/api/openapi.json``."""

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import market

_ABOUT = """Farm-to-supermarket matching: listings, demands, bids, matches, docking meetings and contracts.

Masses are grams and prices fen per kilogram, whole numbers both; the engine's prices are hao (0.0001 yuan)
per kilogram. Query filters alone are written as in the addresses of the site: kilograms, yuan per kilogram.
Days are China's. Texts come in the language that `Accept-Language` asks for, Chinese or English."""


def openapi_config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Tiantou",
        version=market.__version__,
        description=_ABOUT,
        path="/api",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", description="The token that `POST /api/v1/sign-in` gives."
                ),
                "session": SecurityScheme(
                    type="apiKey",
                    name="market",
                    security_scheme_in="cookie",
                    description="The cookie of the site; a POST then needs the page's `X-CSRF-Token` too.",
                ),
            }
        ),
    )
