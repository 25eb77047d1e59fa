/** The console's stylesheet: the system's fonts, light and dark, and whole on a phone. */
export const consoleStyle = `:root{color-scheme:light dark;--ink:#16202a;--soft:#55616d;--ground:#f4f6f8;--card:#fff;--line:#d3dae1;--edge:#6f7b87;--mark:#1a56c4;--on-mark:#fff;--bad:#a3201f;--bad-ground:#fdf0ef}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#a9b5c1;--ground:#11161c;--card:#1a222b;--line:#34404c;--edge:#8592a0;--mark:#8ab6ff;--on-mark:#0d1420;--bad:#ffa8a2;--bad-ground:#341c1d}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
a{color:var(--mark)}
:focus-visible{outline:.2rem solid var(--mark);outline-offset:.15rem}
.skip{position:absolute;left:-100rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.4rem .8rem}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;padding:.6rem 1.25rem;background:var(--card);border-bottom:1px solid var(--line)}
.brand{margin:0;font-weight:700}.brand span{font-weight:400;color:var(--soft)}
header nav{display:flex;gap:1.25rem;flex:1}
main{max-width:72rem;margin:0 auto;padding:1.25rem}
h1{margin:.5rem 0 .75rem;font-size:1.6rem;line-height:1.25}h2{margin:2rem 0 .5rem;font-size:1.25rem}h3{margin:1.5rem 0 .5rem;font-size:1.05rem}
p{margin:.5rem 0;max-width:46rem}.soft,small{color:var(--soft)}.soft{font-size:.9rem}code{font-size:.85em}
.card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1.25rem;margin:1rem 0}
.narrow{max-width:26rem;margin:8vh auto}
.fault{color:var(--bad)}div.fault,.narrow .fault,.note{background:var(--bad-ground);border:1px solid var(--bad);border-radius:.4rem;padding:.5rem .9rem;margin:1rem 0}
div.fault a{color:inherit}.note{background:var(--card);border-color:var(--edge)}
.groups{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem}
fieldset{border:1px solid var(--line);border-radius:.4rem;margin:0;padding:.5rem 1rem 1rem;min-width:0}legend{font-weight:600;padding:0 .3rem}
label{display:block;margin:.5rem 0 .2rem}.field p{margin:.2rem 0 0}
input,select,button{font:inherit;color:inherit}
input,select{width:100%;min-height:2.6rem;padding:.4rem .6rem;background:var(--ground);border:1px solid var(--edge);border-radius:.35rem}
[aria-invalid]{border:2px solid var(--bad)}
button{min-height:2.6rem;padding:.4rem 1.4rem;margin-top:1rem;border:1px solid var(--mark);border-radius:.35rem;background:var(--mark);color:var(--on-mark);font-weight:600;cursor:pointer}
button.quiet{margin:0;background:none;color:var(--mark);font-weight:400}
.buttons{display:flex;flex-wrap:wrap;gap:1rem;align-items:baseline;margin:0}
.lead{font-size:1.2rem}
.figures{display:flex;flex-wrap:wrap;gap:1rem}.figures div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1.25rem}
dt{color:var(--soft)}dd{margin:0;font-size:1.5rem;font-weight:600;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
table{border-collapse:collapse;width:100%;overflow-wrap:normal}caption{text-align:left;padding:.5rem .9rem;color:var(--soft)}
th,td{padding:.5rem .9rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{font-weight:600;white-space:nowrap}tbody th{font-weight:600}th code,th small{font-weight:400}
.numbers td,.numbers thead th{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.numbers tbody th{font-weight:400}
.lines{min-width:44rem}.lines th,.lines td{overflow-wrap:anywhere}
.rules{margin:0;padding-left:1.1rem}
@media (max-width:34rem){main{padding:1rem}.card{padding:1rem}.numbers{font-size:.9rem}.numbers th,.numbers td{padding:.4rem .5rem}.numbers thead th{white-space:normal}.numbers tbody th{overflow-wrap:normal}}
`;
