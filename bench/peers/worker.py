"""worker.py PEER ADDRESS: one worker process of a peer that has no program of its own. Ends when it is told to."""

import asyncio
import sys

import jobs


def pgqueuer(address):
    import asyncpg
    from pgqueuer import AsyncpgDriver, PgQueuer

    async def main():
        worker = PgQueuer(AsyncpgDriver(await asyncpg.connect(address)))

        @worker.entrypoint("noop")
        async def noop(_):
            jobs.noop()

        await worker.run(batch_size=1000)

    asyncio.run(main())


def procrastinate(address):
    import procrastinate as library

    app = library.App(connector=library.PsycopgConnector(conninfo=address))

    @app.task(name="noop")
    async def noop():
        jobs.noop()

    async def main():
        async with app.open_async():
            await app.run_worker_async(concurrency=100, install_signal_handlers=False)

    asyncio.run(main())


def beanstalkd(address):
    import greenstalk

    client = greenstalk.Client(("127.0.0.1", int(address)))
    while True:
        job = client.reserve()
        jobs.noop(job.body)
        client.delete(job)


if __name__ == "__main__":
    {"pgqueuer": pgqueuer, "procrastinate": procrastinate, "beanstalkd": beanstalkd}[sys.argv[1]](sys.argv[2])
