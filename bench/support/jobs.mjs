/** Answers the messages of `startWorker`: runs the job that each one names. */
export const serve = (jobs) => {
  process.on('message', ({ job, input }) => {
    // To be asked before times are taken: loading modules is not what is measured.
    const run = job === 'ready' ? async () => true : jobs[job];
    run(input).then(
      (result) => process.send({ result }),
      (error) => process.send({ error: error?.stack ?? String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
};
