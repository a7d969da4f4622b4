-- How far the orders of a day came: of those placed on it, how many were ever confirmed, shipped, cancelled.
WITH orders AS (
    SELECT
        order_id,
        min(date) FILTER (type = 'OrderPlaced') AS day,
        bool_or(type = 'OrderConfirmed') AS confirmed,
        bool_or(type = 'ShipmentCreated') AS shipped,
        bool_or(type = 'OrderCancelled') AS cancelled
    FROM events
    WHERE type IN ('OrderPlaced', 'OrderConfirmed', 'ShipmentCreated', 'OrderCancelled')
    GROUP BY order_id
)
SELECT
    day,
    count(*) AS placed,
    count(*) FILTER (confirmed) AS confirmed,
    count(*) FILTER (shipped) AS shipped,
    count(*) FILTER (cancelled) AS cancelled,
    round(100.0 * count(*) FILTER (shipped) / count(*), 1)::DOUBLE AS shipped_percent
FROM orders
WHERE day IS NOT NULL
GROUP BY day
ORDER BY day
