/** Answers the messages of `startWorker`: runs the job that each one names. */
export const serve = (jobs) => {
  process.on('message', ({ job, input }) => {
    jobs[job](input).then(
      (result) => process.send({ result }),
      (error) => process.send({ error: error?.stack ?? String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
};
