-- Why orders were cancelled: the short code that begins the reason, the commonest first.
SELECT
    split_part(data->>'$.reason', ':', 1) AS reason,
    count(DISTINCT order_id) AS orders,
    round(100.0 * count(DISTINCT order_id) / sum(count(DISTINCT order_id)) OVER (), 1)::DOUBLE AS percent
FROM events
WHERE type = 'OrderCancelled'
GROUP BY reason
ORDER BY orders DESC, reason
