"""What a crawl may fetch and what it has fetched: queue of URLs, scope, robots policy, addresses. No Scrapy in here."""
