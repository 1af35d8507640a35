"""The state and limits of a crawl: queue of URLs, scope, robots policy, addresses. Does not use Scrapy."""
