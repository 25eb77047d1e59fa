/** The style of the payer's page: light and dark by the reader's setting, one column that fits a phone. */
export const payerStyle = `
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #ffffff; --ink: #1b2430; --quiet: #566373; --line: #dde3ea;
  --good: #0b6b3f; --good-paper: #dff3e8; --open: #7a4b00; --open-paper: #fdf0d6; --over: #8f1f2d; --over-paper: #fbe3e6;
  --accent: #1f4fbf;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161c; --card: #1b212a; --ink: #e8edf3; --quiet: #a2afbd; --line: #313a46;
    --good: #8fe0b5; --good-paper: #143526; --open: #f3cd83; --open-paper: #3a2c10; --over: #f5a9b3; --over-paper: #431a21;
    --accent: #9dbcff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 42rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif;
}
header { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; justify-content: space-between; }
main, section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem; margin: 0 0 1rem; }
h1 { font-size: 1.75rem; margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
h3 { font-size: .9rem; margin: 1rem 0 .4rem; color: var(--quiet); font-weight: 600; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
small, .about, .clock, .brand span { color: var(--quiet); }
.brand { font-weight: 600; }
.brand span { font-weight: 400; margin-left: .25rem; }
.status, .tag { border-radius: 1rem; padding: .1rem .6rem; font-size: .9rem; overflow-wrap: anywhere; }
.tag { display: inline-block; border-radius: .6rem; font-size: .8rem; }
.good { color: var(--good); background: var(--good-paper); }
.open { color: var(--open); background: var(--open-paper); }
.over { color: var(--over); background: var(--over-paper); }
.notice { background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--accent); padding: .6rem .8rem; border-radius: .5rem; }
dl { display: grid; gap: .4rem; margin: 1rem 0 0; }
dl div { display: grid; grid-template-columns: minmax(7rem, 30%) 1fr; gap: .5rem; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font-size: .85em; overflow-wrap: anywhere; }
.rows { list-style: none; margin: 0; padding: 0; }
.rows > li { padding: .6rem 0; border-top: 1px solid var(--line); }
.rows > li:first-child { border-top: 0; }
.rows small { display: block; }
ol { margin: .25rem 0; padding-left: 1.4rem; }
.buttons { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .5rem; }
button {
  width: 100%; min-height: 2.75rem; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--paper); color: var(--ink); font: inherit; cursor: pointer;
}
button:hover { border-color: var(--accent); }
button:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
`;
