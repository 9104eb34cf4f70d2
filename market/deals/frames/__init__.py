"""Framework agreements (框架协议): signed once, called off in batches over weeks."""
