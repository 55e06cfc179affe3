-- KEYS: the viewers. Answers how many have not ended.
return redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')
