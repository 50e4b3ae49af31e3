import{g as r,h as e}from"./chunk-RRLWO6SL.js";import"./chunk-VC46IEJQ.js";function f(){return e("h1",{children:r.pages.server})}export{f as ServerPage};
