-- batch_key_answer: keeps what is answered to a batch. $1 key, $2 answer
UPDATE pawl.run_key SET answer = $2 WHERE kind = 'batch' AND key = $1
