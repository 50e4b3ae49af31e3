import{g as o,h as r}from"./chunk-RRLWO6SL.js";import"./chunk-VC46IEJQ.js";function f(){return r("h1",{children:o.pages.work})}export{f as WorkPage};
